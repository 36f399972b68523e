/**
 * The feed of a soak: the server publishes to itself, at a steady rate over the same topics for as long as it
 * runs.
 */

/** How often the feed publishes what is due. */
const STEP_MS = 20
/**
 * The length of a bulk message in characters. A client that stops reading these fills its socket's buffers
 * within seconds.
 */
const BULK_LENGTH = 32_768
/** How often an instrument moves from one set to another. */
const MOVE_MS = 2000
const MARKETS = 10
const SECTORS = 5
const BOOK_LEVELS = 20
/** A price that no book's first level comes near. */
const MIDDLE = 1000

/**
 * @typedef {object} Topic
 * @property {string} channel
 * @property {string} symbol
 */

/** @param {string} channel @param {number} count @returns {Topic[]} */
const topicsOf = (channel, count) => Array.from({ length: count }, (_, index) => ({ channel, symbol: `S${index}` }))

/** @param {number} index @param {number} moves */
const instrument = (index, moves) => ({ symbol: `S${index}`, market: `M${(index + moves) % MARKETS}`, sector: `X${index % SECTORS}`, name: `Soak ${index}` })

const levels = (/** @type {number} */ step, /** @type {number} */ turn) =>
  Array.from({ length: BOOK_LEVELS }, (_, index) => [
    String(MIDDLE + step * (index + 1)),
    String(turn % 100 + index + 1)
  ])

export class Feed {
  published = 0
  refused = 0
  #turn = 0
  #bulkTurn = 0
  #moves = 0
  #bulk = 'x'.repeat(BULK_LENGTH)
  /** @type {NodeJS.Timeout[]} */
  #timers = []
  /** @type {Topic[]} */
  #topics
  /** @type {Topic[]} */
  #bulkTopics

  /**
   * @param {import('@tickwire/server').Tickwire} tickwire
   * @param {{
   *   rate: number, trades: number, quotes: number, books: number, bulks: number, bulkRate: number
   * }} options
   */
  constructor (tickwire, options) {
    this.tickwire = tickwire
    this.options = options
    this.#topics = [...topicsOf('trades', options.trades), ...topicsOf('quotes', options.quotes), ...topicsOf('book', options.books)]
    this.#bulkTopics = topicsOf('bulk', options.bulks)
  }

  /** Makes the instruments known, and gives each topic its first message. */
  async begin () {
    const instruments = Array.from({ length: this.options.trades }, (_, index) => instrument(index, 0))
    await this.tickwire.declare(instruments)
    await this.#publish([
      ...this.#topics.map(() => this.#next()),
      ...this.#bulkTopics.map(() => this.#nextBulk())
    ])
  }

  start () {
    const from = performance.now()
    const before = { turn: this.#turn, bulk: this.#bulkTurn }
    this.#timers = [
      setInterval(() => {
        const seconds = (performance.now() - from) / 1000
        const due = before.turn + Math.floor(seconds * this.options.rate) - this.#turn
        const bulkDue = before.bulk + Math.floor(seconds * this.options.bulkRate) - this.#bulkTurn
        this.#publish([
          ...Array.from({ length: due }, () => this.#next()),
          ...Array.from({ length: bulkDue }, () => this.#nextBulk())
        ])
      }, STEP_MS),
      setInterval(() => {
        const move = this.#moves++
        this.tickwire.declare([instrument(move * 7 % this.options.trades, move + 1)])
      }, MOVE_MS)
    ]
  }

  stop () {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
  }

  /** @param {readonly import('@tickwire/server').Publication[]} batch */
  async #publish (batch) {
    if (batch.length === 0) return
    const results = await this.tickwire.publishAll(batch)
    for (const result of results) if ('code' in result) this.refused++
    this.published += batch.length
  }

  #next () {
    const turn = this.#turn++
    const { channel, symbol } = this.#topics[turn % this.#topics.length]
    // A book begins with all its levels; then one of them changes.
    const whole = turn < this.#topics.length
    return { channel, symbol, data: dataOf(channel, symbol, turn, whole), ...(channel === 'book' && whole ? { snapshot: true } : {}) }
  }

  #nextBulk () {
    const turn = this.#bulkTurn++
    return { ...this.#bulkTopics[turn % this.#bulkTopics.length], data: { number: turn, text: this.#bulk } }
  }
}

/** @param {string} channel @param {string} symbol @param {number} turn @param {boolean} whole */
function dataOf (channel, symbol, turn, whole) {
  switch (channel) {
    case 'quotes': return { symbol, bid: `185.${turn % 90 + 10}`, ask: `186.${turn % 90 + 10}`, bid_size: String(turn % 500 + 1), ask_size: '400', venue_time: new Date().toISOString() }
    case 'book': {
      const bids = levels(-1, turn)
      const asks = levels(1, turn)
      if (whole) return { symbol, bids, asks }
      return { symbol, bids: [bids[turn % BOOK_LEVELS]], asks: [asks[turn * 3 % BOOK_LEVELS]] }
    }
    default: return { symbol, price: `185.${turn % 90 + 10}`, size: String(turn % 500 + 1), timestamp: new Date().toISOString(), exchange: 'XNAS', side: 'buy', trade_id: `id-${turn}` }
  }
}
