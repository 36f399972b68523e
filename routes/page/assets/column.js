import { Meter } from './meter.js'
import { Rule, topicOf } from './rule.js'

/**
 * What a stream reports, over any transport.
 * @typedef {object} StreamEvents
 * @property {(connectionId: string, resumed: boolean) => void} onConnected `resumed`: it goes on from a
 *   cursor
 * @property {(code: string | undefined) => void} onLost the connection is gone, and the stream will try
 *   another; `code` if the server said why
 * @property {(reason: string) => void} onStopped the server refused, and the stream will not try again
 * @property {(serverTime: number) => void} onServerTime
 * @property {(message: object) => void} onMessage
 * @property {() => void} onCursor the stream keeps a new cursor, which covers all messages before it
 */

/**
 * One transport's subscription: its messages and its state. It knows nothing of the page; `onChange` says
 * that something must be shown again, and `changed` which symbols.
 */
export class Column {
  state = 'connecting'
  /** Why the server refused, in its words. */
  refusal = ''
  connectionId = undefined
  rule = new Rule()
  meter = new Meter()
  /** Ends that the server announced, ends without an announcement, and returns from a cursor. */
  cuts = 0
  losses = 0
  resumes = 0
  /** The last price, by symbol. */
  prices = new Map()
  /** Symbols that must be shown again. */
  changed = new Set()
  #connectedAt = 0
  #stream = undefined

  /**
   * @param {(stream: { subscribe: string[], token?: string }, events: StreamEvents) => { close: () => void }}
   *   open
   * @param {import('./clock.js').Clock} clock
   * @param {() => void} onChange
   */
  constructor (open, stream, clock, onChange) {
    this.clock = clock
    this.onChange = onChange
    this.#stream = open(stream, {
      onConnected: (id, resumed) => this.#connected(id, resumed),
      onLost: code => this.#lost(code),
      onStopped: reason => this.#become('stopped', reason),
      onServerTime: time => clock.saw(time),
      onMessage: message => this.#take(message),
      onCursor: () => this.rule.cursor(),
    })
  }

  close () {
    this.#stream.close()
  }

  #become (state, refusal = '') {
    this.state = state
    this.refusal = refusal
    if (state !== 'connected') this.connectionId = undefined
    this.onChange()
  }

  #connected (id, resumed) {
    this.connectionId = id
    this.#connectedAt = Date.now()
    this.rule.connected()
    if (resumed) this.resumes++
    else {
      this.rule.forget()
      for (const symbol of this.prices.keys()) this.changed.add(symbol)
    }
    this.#become('connected')
  }

  #lost (code) {
    // While the connection is gone, further attempts may fail; they are no further cuts.
    if (this.state === 'connected') {
      if (code === undefined) this.losses++
      else this.cuts++
    }
    this.#become('reconnecting')
  }

  #take (message) {
    if (message.type === 'error') return this.#become(this.state, message.message)
    if (message.sequence !== undefined) this.meter.count()
    const verdict = this.rule.take(message)
    if (verdict === 'forgotten') this.changed.add(message.symbol)
    else if (verdict === 'accepted') this.#accept(message)
    else return
    this.onChange()
  }

  #accept (message) {
    const latency = this.clock.since(Date.parse(message.timestamp))
    // A message older than the connection is a state, or from catch-up, and does not measure how fast this
    // transport is.
    if (latency !== undefined && latency <= Date.now() - this.#connectedAt) this.meter.latency(latency)
    const price = priceOf(message)
    const quoted = this.rule.topics.has(topicOf({ channel: 'quotes', symbol: message.symbol }))
    const isNewer = message.channel === 'quotes' || !quoted
    if (price !== undefined && isNewer) this.prices.set(message.symbol, price)
    this.changed.add(message.symbol)
  }
}

/** Returns the last price that a quote or a trade states, as it is written there. */
function priceOf ({ channel, data }) {
  return channel === 'trades' ? data.price : data.last ?? data.bid
}
