import { type Book, reduceBook } from '@tickwire/protocol'
import type { Message } from '../helpers/clients.js'
import type { Market } from './market.js'
import type { Misbehaviour } from './misbehaviour.js'
import type { VenueProtocol } from './venue-protocol.js'

/** What a subscriber holds of one symbol, and what it was shown. */
interface Held {
  book: Book | undefined
  /** Where among the states of the true book its last good one stands. */
  place: number
  bestTen: number
  /** Its last trade, as an index, and all of them. */
  trade: number
  readonly trades: Set<number>
  /** Whether the book is not what the venue had; that is said once. */
  isWrong: boolean
}

/**
 * Faults that no client could have noticed, because the venue's protocol does not show them, and lost trades.
 * The oracle counts them and does not fail.
 */
export interface Unknowable {
  /** Messages after which a book was not as the venue had it, with nothing that says so. */
  wrongBooks: number
  /** Messages after which a book was as the venue had it before. */
  olderBooks: number
  lostTrades: number
}

export interface Verdict {
  readonly failures: readonly string[]
  readonly unknowable: Unknowable
  readonly books: number
  readonly staleBooks: number
  readonly trades: number
  readonly quotes: number
}

const MOST_FAILURES = 20

/**
 * Judges what a subscriber receives of a venue whose every state is known:
 * - Every book that it holds is one of those that the venue had, in their order, or it is stale. Where a
 *   frame came to harm and the venue lets nobody know of it, a wrong book is counted.
 * - Each trade comes once, in order, and is one that there was. One may be lost if something was harmed.
 * - Each quote shows the top of a book that there was.
 */
export class Oracle {
  readonly unknowable: Unknowable = { wrongBooks: 0, olderBooks: 0, lostTrades: 0 }
  private readonly failures: string[] = []
  private readonly counts = { books: 0, staleBooks: 0, trades: 0, quotes: 0 }
  private readonly held = new Map<string, Held>()
  private readonly bySymbol = new Map<string, Market>()
  private readonly sequences = new Map<string, number>()
  private status: string | undefined

  constructor (
    private readonly protocol: VenueProtocol, markets: Iterable<Market>,
    private readonly misbehaviour: Pick<Misbehaviour, 'harmed' | 'done'>
  ) {
    for (const market of markets) this.bySymbol.set(market.symbol, market)
  }

  get verdict (): Verdict {
    return { failures: this.failures, unknowable: this.unknowable, ...this.counts }
  }

  /** Takes what a subscriber of the server gets. */
  take (message: Message): void {
    const { type, symbol = '', sequence } = message
    if (sequence !== undefined && !this.isNew(`${type} ${symbol}`, sequence)) return
    if (type === 'market_status') {
      this.status = (message.data as { status: string }).status
      return
    }
    if (type !== 'book' && type !== 'trade' && type !== 'quote' && type !== 'reset') return
    const market = this.bySymbol.get(symbol)
    if (market === undefined) {
      // Of a symbol that the venue refuses, all that is known is that nothing is.
      const isStale = type === 'book' && (message.data as Book).stale === true
      if (!isStale) this.fail(`${type} of ${symbol}, which the venue does not have`)
      return
    }
    const held = this.heldOf(symbol)
    if (type === 'reset') this.fail(`${symbol}: a reset, where nothing was lost`)
    else if (type === 'book') this.book(market, held, message)
    else if (type === 'trade') this.trade(market, held, message.data as Readonly<Record<string, string>>)
    else this.quote(market, message.data as Readonly<Record<string, string>>)
  }

  /** The client's rule: a poll may bring what an earlier answer had. */
  private isNew (topic: string, sequence: number): boolean {
    const isNew = sequence > (this.sequences.get(topic) ?? -1)
    if (isNew) this.sequences.set(topic, sequence)
    return isNew
  }

  private heldOf (symbol: string): Held {
    const held = this.held.get(symbol) ??
      { book: undefined, place: 0, bestTen: 0, trade: -1, trades: new Set<number>(), isWrong: false }
    this.held.set(symbol, held)
    return held
  }

  /** What is not yet as the venue has it. */
  pending (): string[] {
    const books = [...this.bySymbol.values()].flatMap(market => {
      const book = this.held.get(market.symbol)?.book
      if (book === undefined) return `${market.symbol}: no book has come`
      if (book.stale === true) return `${market.symbol}: the book is stale`
      const isLast = market.history.placeOf(book, market.history.last) !== undefined
      return isLast ? [] : `${market.symbol}: the book is not what the venue has`
    })
    return this.status === 'open' || this.status === undefined
      ? books
      : [...books, `the market ${this.protocol.market} is ${this.status}`]
  }

  private book (market: Market, held: Held, { symbol, snapshot, data }: Message): void {
    const message = data as Book
    if (held.book === undefined && snapshot !== true) return this.fail(`${symbol}: an update of no book`)
    if (message.stale === true) {
      this.counts.staleBooks++
      held.isWrong = false
      if (message.bids.length + message.asks.length > 0) this.fail(`${symbol}: a stale book with levels`)
    } else if (held.book?.stale === true && snapshot !== true) this.fail(`${symbol}: an update of a stale book`)
    held.book = reduceBook(held.book, message, snapshot === true)
    this.counts.books++
    if (held.book.stale !== true) this.judge(market, held, held.book)
  }

  private judge (market: Market, held: Held, book: Book): void {
    const { symbol, history, bestTen } = market
    const place = history.placeOf(book, held.place)
    const ten = bestTen.placeOf(book, held.bestTen)
    if (place !== undefined && ten !== undefined) {
      held.place = place
      held.bestTen = ten
      held.isWrong = false
      return
    }
    const { lets } = this.protocol
    const isOlder = history.placeOf(book) !== undefined
    const mayBeWrong = lets === 'nothing' || (lets === 'best ten' && ten !== undefined)
    // Two changes of one level that were swapped end in a state, with its checksum, that was there before.
    const mayBeOlder = isOlder && lets !== 'all'
    const isHarmed = this.misbehaviour.harmed.has(this.protocol.pairOf(symbol))
    if (isHarmed && mayBeOlder) this.unknowable.olderBooks++
    else if (isHarmed && mayBeWrong) this.unknowable.wrongBooks++
    else if (!held.isWrong) {
      this.fail(`${symbol}: a book that ${isOlder ? 'the venue had before an earlier one' : 'the venue never had'}: ${JSON.stringify(book).slice(0, 300)}`)
    }
    held.isWrong = true
  }

  private trade (market: Market, held: Held, data: Readonly<Record<string, string>>): void {
    this.counts.trades++
    const { symbol, trades } = market
    const at = trades.findIndex(trade => this.protocol.tradeId(trade) === data['trade_id'])
    const trade = trades[at]
    if (trade === undefined) return this.fail(`${symbol}: a trade that there was not: ${JSON.stringify(data)}`)
    if (held.trades.has(at)) return this.fail(`${symbol}: trade ${at + 1} comes twice`)
    held.trades.add(at)
    if (at <= held.trade && this.protocol.tradesHaveNoOrder !== true) {
      return this.fail(`${symbol}: trade ${at + 1} after trade ${held.trade + 1}`)
    }
    const isSame = data['price'] === trade.price && data['size'] === trade.size && data['side'] === trade.side &&
      Date.parse(data['timestamp'] ?? '') === Math.floor(trade.time / 1000)
    if (!isSame) this.fail(`${symbol}: ${JSON.stringify(data)} is not the trade ${JSON.stringify(trade)}`)
    const lost = held.trade < 0 ? 0 : Math.max(0, at - held.trade - 1)
    if (lost > 0 && this.misbehaviour.done.size === 0) this.fail(`${symbol}: ${lost} trades are lost before ${at + 1}`)
    this.unknowable.lostTrades += lost
    held.trade = Math.max(held.trade, at)
  }

  private quote (
    { symbol, tops, trades }: Market, { bid, ask, last }: Readonly<Record<string, string>>
  ): void {
    this.counts.quotes++
    if (bid !== undefined && ask !== undefined && !tops.has(`${bid} ${ask}`)) {
      this.fail(`${symbol}: a quote ${bid} ${ask} that there was not`)
    }
    // Before the first trade, a venue here says the best bid.
    const isTraded = last === undefined || last === bid || trades.some(({ price }) => price === last)
    if (!isTraded) this.fail(`${symbol}: nobody has traded at ${last}`)
  }

  private fail (failure: string): void {
    if (this.failures.length < MOST_FAILURES) this.failures.push(failure)
  }
}
