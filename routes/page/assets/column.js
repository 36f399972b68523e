import { Meter } from './meter.js'
import { Rule, topicOf } from './rule.js'

/**
 * What a stream tells, whatever transport it is of.
 * @typedef {object} StreamEvents
 * @property {(connectionId: string, resumed: boolean) => void} onConnected `resumed`: it goes on from a cursor
 * @property {(code: string | undefined) => void} onLost the connection is gone, and another will be tried; `code` where the server said why
 * @property {(reason: string) => void} onStopped it was refused, and no other will be tried
 * @property {(serverTime: number) => void} onServerTime
 * @property {(message: object) => void} onMessage
 * @property {() => void} onCursor a cursor came, and is kept: it covers what was told before it
 */

/**
 * One transport's subscription: what it holds and how it fares. It knows nothing of the page; `onChange` says that
 * something is to be shown anew, `changed` which symbols.
 */
export class Column {
  state = 'connecting'
  /** Why it was refused, in the server's words. */
  refusal = ''
  connectionId = undefined
  rule = new Rule()
  meter = new Meter()
  /** Ends that the server announced, ends that it did not, and returns that went on from a cursor. */
  cuts = 0
  losses = 0
  resumes = 0
  /** By symbol: its last price. */
  prices = new Map()
  /** Symbols that are to be shown anew. */
  changed = new Set()
  #connectedAt = 0
  #stream = undefined

  /**
   * @param {(stream: { subscribe: string[], token?: string }, events: StreamEvents) => { close: () => void }} open
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
    // While it is away, further attempts may fail; that is no further cut.
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
    // What is older than the connection is a state, or was caught up with: no measure of how fast this wire is.
    if (latency !== undefined && latency <= Date.now() - this.#connectedAt) this.meter.latency(latency)
    const price = priceOf(message)
    const quoted = this.rule.topics.has(topicOf({ channel: 'quotes', symbol: message.symbol }))
    if (price !== undefined && (message.channel === 'quotes' || !quoted)) this.prices.set(message.symbol, price)
    this.changed.add(message.symbol)
  }
}

/** The last price that a quote or a trade tells of, as it is written there. */
function priceOf ({ channel, data }) {
  return channel === 'trades' ? data.price : data.last ?? data.bid
}
