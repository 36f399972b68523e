import type { Bar, BarInterval } from '@tickwire/protocol'
import type { Message } from './channels.js'
import type { Client } from './client.js'
import { Listeners } from './listeners.js'
import { errorText } from './transports/refusals.js'

export type { Bar, BarInterval }

export interface BarsOptions {
  /** How many bars to begin with: 1–5000, default 500. */
  readonly limit?: number
  /** How many bars to keep at most; the oldest go first. Default 5000. */
  readonly most?: number
}

const LIMIT = 500
const MOST = 5000
/** After how long to ask for bars again that could not be read. */
const AGAIN_MS = 2000

/** The bars of one symbol, which follow the stream: a revised bar replaces the former one. */
export interface BarsView {
  /** Oldest first, each start once. Each change makes another array. */
  readonly bars: () => readonly Bar[]
  /** Whether the first bars are still being read. */
  readonly loading: () => boolean
  /** Why the bars cannot be read, in words; undefined if they can. */
  readonly error: () => string | undefined
  /** Reads bars before the oldest. @returns how many there were */
  readonly older: (count?: number) => Promise<number>
  /** Calls a listener after each change. @returns a function that takes it away */
  readonly onChange: (listener: () => void) => () => void
  readonly close: () => void
}

interface BarsAnswer {
  readonly sequence: number
  readonly bars: readonly Bar[]
}

/** Puts a bar into a list that is ordered by `start`; all starts are written alike, so texts compare. */
function put (bars: Bar[], bar: Bar): void {
  let at = bars.length
  while (at > 0 && bars[at - 1]!.start >= bar.start) at--
  bars.splice(at, bars[at]?.start === bar.start ? 1 : 0, bar)
}

/**
 * Opens the bars of a symbol: it subscribes, reads the bars so far (`GET /v1/bars`), and lets each message
 * replace the bar with its start. Nothing is missing between the two, on any transport.
 */
export function openBars (
  client: Client, symbol: string, interval: BarInterval, { limit = LIMIT, most = MOST }: BarsOptions = {}
): BarsView {
  const subscription = client.subscribe(`bars.${interval}`, [symbol])
  const listeners = new Listeners()
  let bars: readonly Bar[] = []
  let error: string | undefined
  /** What came while the bars are being read; undefined: they are not. */
  let waiting: Array<Message<Bar>> | undefined = []
  /** Grows with each reset, so that an answer from before it is dropped. */
  let reading = 0

  const set = (changed: Bar[]): void => {
    bars = changed.slice(-most)
    listeners.tell()
  }
  const ask = async (more: string): Promise<BarsAnswer> => {
    const named = `symbol=${encodeURIComponent(symbol)}&interval=${interval}`
    const response = await client.fetch(`v1/bars?${named}&${more}`)
    const answer = await response.json() as BarsAnswer & { readonly message?: string }
    if (!response.ok) throw new Error(answer.message)
    return answer
  }
  async function read (): Promise<void> {
    const turn = ++reading
    waiting = []
    try {
      const answer = await ask(`limit=${limit}`)
      if (turn !== reading) return
      const changed = [...answer.bars]
      for (const { sequence, data } of waiting ?? []) if (sequence > answer.sequence) put(changed, data)
      waiting = error = undefined
      set(changed)
    } catch (failure) {
      if (turn !== reading || subscription.closed) return
      error = errorText(failure)
      listeners.tell()
      setTimeout(() => { if (turn === reading && !subscription.closed) void read() }, AGAIN_MS)
    }
  }
  subscription.listen(event => {
    if (event.type === 'reset') void read()
    else if (waiting !== undefined) waiting.push(event)
    else {
      const changed = [...bars]
      put(changed, event.data)
      set(changed)
    }
  })
  void subscription.result.then(({ rejected }) => {
    if (rejected[0] === undefined) return read()
    error = rejected[0].message
    waiting = undefined
    listeners.tell()
  })
  return {
    bars: () => bars,
    loading: () => waiting !== undefined && error === undefined,
    error: () => error,
    async older (count = LIMIT) {
      const first = bars[0]
      if (first === undefined) return 0
      const answer = await ask(`limit=${count}&to=${first.start}`)
      const added = answer.bars.filter(bar => bar.start < bars[0]!.start)
      if (added.length > 0) {
        bars = [...added, ...bars]
        listeners.tell()
      }
      return added.length
    },
    onChange: listener => listeners.add(listener),
    close () {
      reading++
      subscription.close()
    }
  }
}
