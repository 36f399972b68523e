import type { TickwireClient } from '@tickwire/client'

/** How many closes of minutes a sparkline has. */
const POINTS = 60
/** How many symbols are read at once: they must not hold up what a person asks for. */
const AT_ONCE = 3

type Closes = readonly number[]

/** Reads the last closes of symbols, each once, a few at a time. */
export class Sparklines {
  readonly #client: TickwireClient
  readonly #known = new Map<string, Closes>()
  readonly #waiting = new Map<string, (closes: Closes) => void>()
  #running = 0

  constructor (client: TickwireClient) {
    this.#client = client
  }

  /** Calls `show` with the closes of a symbol, oldest first. @returns a function that takes the wish back */
  read (symbol: string, show: (closes: Closes) => void): () => void {
    const known = this.#known.get(symbol)
    if (known === undefined) {
      this.#waiting.set(symbol, show)
      this.#next()
    } else show(known)
    return () => { this.#waiting.delete(symbol) }
  }

  #next (): void {
    const next = this.#waiting.entries().next().value
    if (next === undefined || this.#running === AT_ONCE) return
    const [symbol, show] = next
    this.#waiting.delete(symbol)
    this.#running++
    void this.#ask(symbol).catch(() => []).then(closes => {
      this.#running--
      this.#known.set(symbol, closes)
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
