import { type Message, named, type Reset } from './channels.js'
import type { Selector, TopicReader } from './selectors.js'
import type { Rejected, SubscribeOptions, SubscribeResult, Subscription } from './subscription.js'

const MAX_WAITING = 10_000

/** What a reader asks of its client. */
export interface ReaderHost {
  latest: (channel: string, symbol: string | undefined) => Message | undefined
  close: (reader: Reader) => void
  /** A listener threw: the others, the position and the connection go on. */
  failed: (error: unknown) => void
}

type Event = Message | Reset

const isReset = (event: Event): event is Reset => event.type === 'reset'

/** A subscription, as the client keeps it: see {@link Subscription}. */
export class Reader implements Subscription, TopicReader {
  readonly result: Promise<SubscribeResult>
  readonly selectors: readonly Selector[]
  readonly channel: string
  readonly options: SubscribeOptions
  readonly #host: ReaderHost
  readonly #listeners = new Set<(event: Event) => void>()
  readonly #answers = new Map<Selector, Rejected | undefined>()
  #resolve!: (result: SubscribeResult) => void
  /** What came before anybody listened: an application may await the result first. */
  #early: Event[] | undefined = []
  #closed = false
  readonly #onClose = new Set<() => void>()

  constructor (
    channel: string, selectors: readonly Selector[], options: SubscribeOptions, host: ReaderHost
  ) {
    this.channel = channel
    this.selectors = selectors
    this.options = options
    this.#host = host
    this.result = new Promise(resolve => { this.#resolve = resolve })
    if (options.signal?.aborted === true) queueMicrotask(() => { this.close() })
    options.signal?.addEventListener('abort', this.close)
  }

  get closed (): boolean {
    return this.#closed
  }

  onMessage (listener: (message: Message) => void): () => void {
    return this.listen(event => { if (!isReset(event)) listener(event) })
  }

  onReset (listener: (reset: Reset) => void): () => void {
    return this.listen(event => { if (isReset(event)) listener(event) })
  }

  listen (listener: (event: Event) => void): () => void {
    this.#listeners.add(listener)
    if (this.#early !== undefined) queueMicrotask(() => { this.#replay() })
    return () => { this.#listeners.delete(listener) }
  }

  latest (symbol?: string): Message | undefined {
    this.#early = undefined
    return this.#host.latest(this.channel, symbol)
  }

  readonly close = (): void => {
    if (this.#closed) return
    this.#closed = true
    this.options.signal?.removeEventListener('abort', this.close)
    this.#listeners.clear()
    this.#host.close(this)
    for (const listener of this.#onClose) listener()
  }

  async * [Symbol.asyncIterator] (): AsyncGenerator<Event, void, undefined> {
    let waiting: Event[] = []
    let wake = (): void => {}
    const most = this.#most
    const stop = this.listen(event => {
      if (waiting.length >= most) waiting = dropped(waiting)
      waiting.push(event)
      wake()
    })
    const end = (): void => { wake() }
    this.#onClose.add(end)
    try {
      while (!this.#closed || waiting.length > 0) {
        if (waiting.length === 0) {
          await new Promise<void>(resolve => { wake = resolve })
          continue
        }
        const batch = waiting
        waiting = []
        for (let at = 0; at < batch.length; at++) {
          // What waits behind this one counts, too.
          if (batch.length - at + waiting.length > 2 * most) {
            waiting = dropped([...batch.slice(at), ...waiting])
            break
          }
          yield batch[at]!
        }
      }
    } finally {
      stop()
      this.#onClose.delete(end)
    }
  }

  get #most (): number {
    return this.options.maxWaiting ?? MAX_WAITING
  }

  #replay (): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const event of early) this.deliver(event)
  }

  deliver (event: Event): void {
    if (this.#early !== undefined) {
      if (this.#early.length >= this.#most) this.#early = dropped(this.#early)
      this.#early.push(event)
      return
    }
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch (error) {
        this.#host.failed(error)
      }
    }
  }

  /** The server has answered for a symbol. */
  answered (selector: Selector, rejected?: Rejected): void {
    this.#answers.set(selector, rejected)
    if (this.#answers.size < this.selectors.length) return
    const refusals = [...this.#answers.values()].filter(answer => answer !== undefined)
    const granted = this.selectors.filter(one => this.#answers.get(one) === undefined)
    this.#resolve({ granted: granted.map(({ symbol }) => symbol), rejected: refusals })
  }
}

/** Returns a reset for each topic of what is dropped. */
function dropped (events: readonly Event[]): Reset[] {
  const topics = new Map<string, Reset>()
  for (const { channel, symbol } of events) {
    topics.set(symbol ?? '', { type: 'reset', channel, ...named(symbol), reason: 'slow_reader' })
  }
  return [...topics.values()]
}
