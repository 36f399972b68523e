import type { TickwireClient } from '@tickwire/client'

/** How many closes of minutes a sparkline has. */
const POINTS = 60
/** How many symbols are read at once: they must not hold up what a person asks for. */
const AT_ONCE = 3

type Closes = readonly number[]

/** How often closes of rows in view are read again, and for how long they do for rows that come back. */
const AGAIN_MS = 60_000
const FRESH_MS = 30_000

/** Reads the last closes of symbols, a few at a time. */
export class Sparklines {
  readonly #client: TickwireClient
  readonly #known = new Map<string, { readonly closes: Closes, readonly readAt: number }>()
  readonly #waiting = new Map<string, (closes: Closes) => void>()
  #running = 0

  constructor (client: TickwireClient) {
    this.#client = client
  }

  /**
   * Calls `show` with the closes of a symbol, oldest first, now and when there are others.
   * @returns a function that ends it
   */
  follow (symbol: string, show: (closes: Closes) => void): () => void {
    const ask = (): void => {
      const known = this.#known.get(symbol)
      if (known !== undefined) show(known.closes)
      if (known !== undefined && performance.now() - known.readAt < FRESH_MS) return
      this.#waiting.set(symbol, show)
      this.#next()
    }
    ask()
    const timer = setInterval(ask, AGAIN_MS)
    return () => {
      clearInterval(timer)
      this.#waiting.delete(symbol)
    }
  }

  #next (): void {
    const next = this.#waiting.entries().next().value
    if (next === undefined || this.#running === AT_ONCE) return
    const [symbol, show] = next
    this.#waiting.delete(symbol)
    this.#running++
    void this.#ask(symbol).catch(() => []).then(closes => {
      this.#running--
      this.#known.set(symbol, { closes, readAt: performance.now() })
      show(closes)
      this.#next()
    })
  }

  async #ask (symbol: string): Promise<Closes> {
    const path = `v1/bars?symbol=${encodeURIComponent(symbol)}&interval=1m&limit=${POINTS}`
    const response = await this.#client.fetch(path)
    if (!response.ok) return []
    const { bars } = await response.json() as { readonly bars: ReadonlyArray<{ readonly close: string }> }
    return bars.map(({ close }) => Number(close))
  }
}

/** Draws closes, with the price now as the last point, in the colour of the canvas' text. */
export function drawSparkline (canvas: HTMLCanvasElement, closes: Closes, last: number): void {
  const points = Number.isFinite(last) ? [...closes, last] : closes
  const context = canvas.getContext('2d')
  if (context === null) return
  const { width, height } = canvas
  context.clearRect(0, 0, width, height)
  if (points.length < 2) return
  const [low, high] = [Math.min(...points), Math.max(...points)]
  context.beginPath()
  for (const [at, value] of points.entries()) {
    const share = high === low ? 0.5 : (value - low) / (high - low)
    context.lineTo(at / (points.length - 1) * width, (height - 4) * (1 - share) + 2)
  }
  context.lineWidth = 2
  context.strokeStyle = getComputedStyle(canvas).color
  context.stroke()
}
