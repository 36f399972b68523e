import { binanceDepth, binanceSnapshot } from '../../../book/binance/frames.js'
import { JoinedBook } from '../../../book/binance/joined-book.js'
import type { Books } from '../../../book/books.js'
import { isObject } from '../../../book/levels.js'
import type { SourceMessage } from '../../source.js'
import { booksOf } from '../books-of.js'
import { amount, type Fields } from '../fields.js'
import { instantOf, receivedAtOf } from '../instants.js'
import { TradeNumbers } from '../trade-numbers.js'
import type { FeedListener, ParserOptions, VenueParser } from '../venue.js'
import { symbolOf } from './pairs.js'

/** The code of an answer about a pair that Binance does not have. */
const INVALID_SYMBOL = -1121

/**
 * Reads the spot market's streams `depth`, `bookTicker`, `trade` and `aggTrade`, and the snapshots of its
 * books. Everything has numbers, so that it may come twice: two connections may bring the same for a while.
 */
export class BinanceParser implements VenueParser {
  private readonly books: Books<JoinedBook>
  private readonly symbolOf: (pair: string) => string | undefined
  private readonly listener: FeedListener | undefined
  private readonly trades: TradeNumbers
  /** By pair, the number of the newest quote. */
  private readonly quotes = new Map<string, number>()

  constructor (options: ParserOptions = {}) {
    const { listener, lastTrades } = options
    this.symbolOf = options.symbolOf ?? symbolOf
    this.listener = listener
    this.trades = new TradeNumbers(listener, lastTrades)
    this.books = booksOf(this.symbolOf, listener, given => new JoinedBook(given))
  }

  parse (payload: string, receivedAt?: number): readonly SourceMessage[] {
    const frame: unknown = JSON.parse(payload)
    // A frame of several streams names its own.
    const event = isObject(frame) && 'stream' in frame ? frame['data'] : frame
    if (!isObject(event)) return []
    const { e: type, s: pair } = event
    if (typeof pair !== 'string') {
      if (type === 'serverShutdown') this.listener?.ending()
      else if (event['result'] === null) this.listener?.subscribed()
      return []
    }
    const symbol = this.symbolOf(pair)
    if (symbol === undefined) return []
    switch (type) {
      case 'depthUpdate': return this.books.take(binanceDepth(event))
      case 'trade': return this.trade(pair, symbol, event, event['t'], receivedAt)
      case 'aggTrade': return this.trade(pair, symbol, event, event['a'], receivedAt)
      // The only event without a type.
      case undefined: return 'B' in event && 'A' in event ? this.quote(pair, symbol, event) : []
      default: return []
    }
  }

  answer ({ pathname, searchParams }: URL, body: string, status = 200): readonly SourceMessage[] {
    const pair = searchParams.get('symbol')
    if (pair === null || this.symbolOf(pair) === undefined) return []
    const answer: unknown = JSON.parse(body)
    if (status !== 200) {
      const { code, msg } = isObject(answer) ? answer : {}
      if (code === INVALID_SYMBOL) this.listener?.refused(pair, String(msg))
      else if (pathname === '/api/v3/depth') throw new Error(`${status}: ${String(msg)}`)
      return []
    }
    if (pathname === '/api/v3/depth') return this.books.take([binanceSnapshot(pair, answer)])
    if (pathname === '/api/v3/exchangeInfo') this.describe(pair, answer)
    return []
  }

  cut (detail: string): readonly SourceMessage[] {
    return this.books.failAll({ reason: 'cut', detail })
  }

  private describe (pair: string, answer: unknown): void {
    const symbols = isObject(answer) ? answer['symbols'] : undefined
    const [first] = Array.isArray(symbols) ? symbols as unknown[] : []
    const filters = isObject(first) ? first['filters'] : undefined
    const filter = (type: string): Fields =>
      (Array.isArray(filters) ? filters as Fields[] : []).find(({ filterType }) => filterType === type) ?? {}
    this.listener?.described(pair, {
      ...amount('tick_size', filter('PRICE_FILTER')['tickSize']),
      ...amount('lot_size', filter('LOT_SIZE')['stepSize'])
    })
  }

  private quote (pair: string, symbol: string, { u, b, B, a, A }: Fields): SourceMessage[] {
    if (typeof u === 'number') {
      if (u <= (this.quotes.get(pair) ?? -1)) return []
      this.quotes.set(pair, u)
    }
    return [{ channel: 'quotes', symbol, data: { symbol, bid: b, bid_size: B, ask: a, ask_size: A } }]
  }

  private trade (
    pair: string, symbol: string, { p, q, T, m }: Fields, id: unknown, receivedAt: number | undefined
  ): SourceMessage[] {
    if (!this.trades.isNew(pair, id)) return []
    const data = {
      symbol,
      price: p,
      size: q,
      timestamp: instantOf(T),
      exchange: 'binance',
      // Where the buyer's order was in the book, the seller took it.
      side: m === true ? 'sell' : m === false ? 'buy' : m,
      trade_id: Number.isSafeInteger(id) ? String(id) : id,
      ...receivedAtOf(receivedAt)
    }
    return [{ channel: 'trades', symbol, data }]
  }
}
