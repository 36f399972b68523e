import { TickwireClient } from './client.js'
import { Meter } from './meter.js'

/** The states of a client in which it has a connection. */
const CONNECTED = ['catching_up', 'live', 'stale']

/** Somebody looks at the page, so it tries again sooner than a client that nobody watches. */
const LONGEST_WAIT_MS = 4000

const topicOf = ({ channel, symbol }) => symbol === undefined ? channel : `${channel}:${symbol}`

/**
 * A client that knows one transport: what it has received, and its state. It knows nothing of the page;
 * `onChange` says that something must be shown again, and `changed` which symbols.
 */
export class Column {
  /** @type {'connecting' | 'connected' | 'reconnecting' | 'stopped'} */
  state = 'connecting'
  /** Why the server refused, in its words. */
  refusal = ''
  /** By topic: the first and last sequence since the last reset, and the number of messages. */
  topics = new Map()
  /** Ends that the server announced, ends without an announcement, and returns from a cursor. */
  cuts = 0
  losses = 0
  resumes = 0
  /** Messages that the client had already. */
  duplicates = 0
  gaps = 0
  resets = 0
  /** The last price, by symbol. */
  prices = new Map()
  /** Symbols that must be shown again. */
  changed = new Set()
  #client
  #meter = new Meter()
  #serverNow
  #onChange
  #connectedAt = 0
  #wasConnected = false
  #hasCursor = false
  #impatience

  /**
   * @param {import('@tickwire/client').TransportName | import('@tickwire/client').Transport} transport
   * @param {{ subscribe: string[], token?: string }} stream what to subscribe to: `quotes:*`, `trades:A,B`
   * @param {() => number} serverNow the server's time, in milliseconds since 1970
   * @param {() => void} onChange
   */
  constructor (transport, { subscribe, token }, serverNow, onChange) {
    this.#serverNow = serverNow
    this.#onChange = onChange
    const url = new URL('.', document.baseURI)
    this.#client = new TickwireClient({ url, token, transports: [transport] })
    this.#client.on('state', state => { this.#follow(state) })
    this.#client.on('cursor', () => { this.#hasCursor = true })
    this.#client.on('gap', () => { this.gaps++ })
    const subscriptions = subscribe.map(selector => {
      const [channel, symbols] = selector.split(':')
      const subscription = this.#client.subscribe(channel, symbols.split(','))
      subscription.onMessage(message => { this.#accept(message) })
      subscription.onReset(reset => { this.#reset(reset) })
      return subscription.result
    })
    Promise.all(subscriptions).then(results => { this.#answered(results) })
  }

  close () {
    clearTimeout(this.#impatience)
    this.#client.close()
  }

  serverNow () {
    return this.#client.serverNow()
  }

  get connectionId () {
    return this.#client.inspect().connectionId
  }

  /** Reads the figures; called a few times a second. */
  measure () {
    this.duplicates = this.#client.inspect().duplicates
    return this.#meter.read()
  }

  #become (state, refusal = '') {
    this.state = state
    this.refusal = refusal
    this.#onChange()
  }

  #follow ({ name, code, reason, retryInMs }) {
    const before = this.state
    clearTimeout(this.#impatience)
    // If the server has said when, the client knows best.
    if (name === 'offline' && code === undefined && retryInMs > LONGEST_WAIT_MS) {
      this.#impatience = setTimeout(() => { this.#client.connect() }, LONGEST_WAIT_MS * Math.random())
    }
    if (CONNECTED.includes(name)) {
      if (before !== 'connected') this.#connected()
      return
    }
    // A client that the page has closed gives no code.
    if (name === 'closed') return code === undefined ? undefined : this.#become('stopped', reason)
    // While the connection is gone, further attempts may fail; they are no further cuts.
    if (before === 'connected') {
      if (code === undefined) this.losses++
      else this.cuts++
    }
    this.#become(this.#wasConnected ? 'reconnecting' : 'connecting')
  }

  #connected () {
    this.#connectedAt = Date.now()
    if (this.#wasConnected) {
      if (this.#hasCursor) this.resumes++
      else this.topics.clear()
    }
    this.#wasConnected = true
    this.#become('connected')
  }

  /** @param {import('@tickwire/client').SubscribeResult[]} results */
  #answered (results) {
    const refusals = results.flatMap(({ rejected }) => rejected)
    if (refusals.length === 0) return
    const isStopped = results.every(({ granted }) => granted.length === 0)
    this.#become(isStopped ? 'stopped' : this.state, refusals[0].message)
    if (isStopped) this.close()
  }

  #accept (message) {
    this.#meter.count()
    const latency = Math.max(0, this.#serverNow() - Date.parse(message.timestamp))
    // A message older than the connection is a state, or from catch-up, and does not measure how fast this
    // transport is.
    if (latency <= Date.now() - this.#connectedAt) this.#meter.latency(latency)
    this.#hold(message)
    const price = priceOf(message)
    const isNewer = message.channel === 'quotes' || !this.topics.has(`quotes:${message.symbol}`)
    if (price !== undefined && isNewer) this.prices.set(message.symbol, price)
    this.changed.add(message.symbol)
    this.#onChange()
  }

  #hold (message) {
    const { sequence } = message
    const held = this.topics.get(topicOf(message))
    if (held === undefined) {
      this.topics.set(topicOf(message), { first: sequence, last: sequence, count: 1 })
      return
    }
    // A snapshot of the known sequence replaces the state, but is no further message.
    if (sequence > held.last) held.count++
    held.last = sequence
  }

  #reset (reset) {
    this.resets++
    const held = this.topics.get(topicOf(reset))
    if (reset.sequence === undefined) this.topics.delete(topicOf(reset))
    else if (held !== undefined) held.last = Math.min(held.last, reset.sequence)
    this.changed.add(reset.symbol)
    this.#onChange()
  }
}

/** Returns the last price that a quote or a trade states, as it is written there. */
function priceOf ({ channel, data }) {
  return channel === 'trades' ? data.price : data.last ?? data.bid
}
