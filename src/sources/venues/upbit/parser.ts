import type { Quote } from '@tickwire/protocol'
import type { BookMessage } from '../../../book/book-event.js'
import type { Books } from '../../../book/books.js'
import { parseExact } from '../../../book/exact-json.js'
import { isObject } from '../../../book/levels.js'
import { upbitOrderbook } from '../../../book/upbit/frames.js'
import { VenueBook } from '../../../book/venue-book.js'
import type { SourceMessage } from '../../source.js'
import { booksOf } from '../books-of.js'
import { amount, type Fields, plain } from '../fields.js'
import { instantOf, receivedAtOf } from '../instants.js'
import { RecentIds } from '../recent-ids.js'
import type { FeedListener, ParserOptions, VenueParser } from '../venue.js'
import { symbolOf } from './codes.js'

/** Reads the types `ticker`, `trade` and `orderbook`; a quote is made of the first and the last. */
export class UpbitParser implements VenueParser {
  private readonly books: Books
  private readonly symbolOf: (code: string) => string | undefined
  private readonly listener: FeedListener | undefined
  /** By code, what the newest ticker said, and the best of the newest book. */
  private readonly tickers = new Map<string, Partial<Quote>>()
  private readonly bests = new Map<string, Partial<Quote>>()
  private readonly trades = new RecentIds()
  /** By code, the time of the newest book, in milliseconds. */
  private readonly bookTimes = new Map<string, number>()

  constructor (options: ParserOptions = {}) {
    const { listener } = options
    this.symbolOf = options.symbolOf ?? symbolOf
    this.listener = listener
    this.books = booksOf(this.symbolOf, listener, given => new VenueBook(given))
  }

  parse (payload: string, receivedAt?: number): readonly SourceMessage[] {
    const frame = parseExact(payload)
    const code = isObject(frame) ? frame['code'] : undefined
    const symbol = typeof code === 'string' ? this.symbolOf(code) : undefined
    if (!isObject(frame) || typeof code !== 'string' || symbol === undefined) return []
    switch (frame['type']) {
      case 'ticker':
        this.tickers.set(code, ticker(frame))
        return [this.quote(code, symbol)]
      case 'trade': return this.trades.isNew(code, frame['sequential_id'])
        ? [trade(symbol, frame, receivedAt)]
        : []
      case 'orderbook': {
        if (this.isOvertaken(code, Number(frame['timestamp']))) return []
        const messages = this.books.take(upbitOrderbook(frame))
        return [...messages, ...this.best(code, symbol, messages)]
      }
      default: return []
    }
  }

  answer ({ pathname }: URL, body: string, status = 200): readonly SourceMessage[] {
    const markets = pathname === '/v1/market/all' && status === 200 ? JSON.parse(body) as unknown : undefined
    // An answer that is no list of markets says of no symbol that it is missing.
    const isList = Array.isArray(markets) && markets.length > 0 &&
      markets.every(market => isObject(market) && typeof market['market'] === 'string')
    if (isList) this.listener?.listed((markets as Fields[]).map(({ market }) => market as string))
    return []
  }

  cut (detail: string): readonly SourceMessage[] {
    return this.books.failAll({ reason: 'cut', detail })
  }

  /** Whether a newer book than that of a time has come already: it must not go back in time. */
  private isOvertaken (code: string, time: number): boolean {
    const newest = this.bookTimes.get(code) ?? -Infinity
    if (time > newest) this.bookTimes.set(code, time)
    return time < newest
  }

  private best (code: string, symbol: string, messages: readonly BookMessage[]): SourceMessage[] {
    const data = messages[0]?.data
    if (data === undefined || data.stale === true) return []
    const [bid, ask] = [data.bids[0], data.asks[0]]
    const best = {
      ...amount('bid', bid?.[0]),
      ...amount('bid_size', bid?.[1]),
      ...amount('ask', ask?.[0]),
      ...amount('ask_size', ask?.[1])
    }
    const known: Partial<Quote> = this.bests.get(code) ?? {}
    const isSame = known.bid === best.bid && known.bid_size === best.bid_size &&
      known.ask === best.ask && known.ask_size === best.ask_size
    this.bests.set(code, best)
    return isSame ? [] : [this.quote(code, symbol)]
  }

  private quote (code: string, symbol: string): SourceMessage {
    const data: Quote = { symbol, ...this.tickers.get(code), ...this.bests.get(code) }
    return { channel: 'quotes', symbol, data }
  }
}

/** Returns an integer that was read as text; anything else stays, and is refused as it is. */
const integerOf = (value: unknown): unknown =>
  typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value

function ticker (frame: Fields): Partial<Quote> {
  const time = instantOf(integerOf(frame['timestamp']))
  return {
    ...amount('last', frame['trade_price']),
    ...amount('volume', frame['acc_trade_volume_24h']),
    ...amount('change', frame['signed_change_price']),
    ...amount('open', frame['opening_price']),
    ...amount('high', frame['high_price']),
    ...amount('low', frame['low_price']),
    ...(typeof time === 'string' ? { venue_time: time } : {})
  }
}

function trade (symbol: string, frame: Fields, receivedAt: number | undefined): SourceMessage {
  const { ask_bid: side, trade_timestamp: time } = frame
  const data = {
    symbol,
    price: plain(frame['trade_price']),
    size: plain(frame['trade_volume']),
    timestamp: instantOf(integerOf(time)),
    exchange: 'upbit',
    // Upbit names the side of the taker.
    side: side === 'ASK' ? 'sell' : side === 'BID' ? 'buy' : side,
    trade_id: frame['sequential_id'],
    ...receivedAtOf(receivedAt)
  }
  return { channel: 'trades', symbol, data }
}
