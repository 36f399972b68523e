import type { Quote } from '@tickwire/protocol'
import type { Books } from '../../../book/books.js'
import { CheckedBook } from '../../../book/coinbase/checked-book.js'
import { coinbaseLevel2 } from '../../../book/coinbase/frames.js'
import type { BookEvent } from '../../../book/book-event.js'
import type { SourceMessage } from '../../source.js'
import { booksOf } from '../books-of.js'
import { amount, type Fields, plain } from '../fields.js'
import { receivedAtOf } from '../instants.js'
import { TradeNumbers } from '../trade-numbers.js'
import type { FeedListener, ParserOptions, VenueParser } from '../venue.js'

/** What Coinbase says of a product that it does not have, and where the product stands in it. */
const NO_PRODUCT = /^\s*(\S+) is not a valid product/

/** Reads the public feed of Coinbase Exchange: channels `ticker`, `matches`, `level2` and `heartbeat`. */
export class CoinbaseParser implements VenueParser {
  private readonly books: Books<CheckedBook>
  private readonly symbolOf: (product: string) => string | undefined
  private readonly listener: FeedListener | undefined
  private readonly trades: TradeNumbers
  /** Products whose first ticker has come: it is that of the last trade, however long ago that was. */
  private readonly ticking = new Set<string>()

  constructor (options: ParserOptions = {}) {
    const { listener, lastTrades } = options
    this.symbolOf = options.symbolOf ?? (product => product)
    this.listener = listener
    // `last_match` may repeat a trade that was sent before.
    this.trades = new TradeNumbers(listener, lastTrades)
    this.books = booksOf(this.symbolOf, listener, given => new CheckedBook(given))
  }

  parse (payload: string, receivedAt?: number): readonly SourceMessage[] {
    const frame = JSON.parse(payload) as Fields
    const { type, product_id: product } = frame
    if (type === 'error') this.refused(frame)
    const symbol = typeof product === 'string' ? this.symbolOf(product) : undefined
    if (typeof product !== 'string' || symbol === undefined) return []
    switch (type) {
      case 'ticker': {
        const quotes = { channel: 'quotes', symbol, data: quote(symbol, frame) }
        return [quotes, ...this.check(product, frame, receivedAt)]
      }
      case 'match':
      case 'last_match': return this.trade(product, symbol, frame, receivedAt)
      case 'snapshot':
      case 'l2update': return this.changes(product, coinbaseLevel2(frame), receivedAt)
      case 'heartbeat': return this.judge(product, receivedAt)
      default: return []
    }
  }

  answer ({ pathname }: URL, body: string, status = 200): readonly SourceMessage[] {
    if (pathname !== '/products' || status !== 200) return []
    const products = JSON.parse(body) as unknown
    for (const product of Array.isArray(products) ? products as Fields[] : []) {
      const { id, quote_increment: tick, base_increment: lot } = product
      if (typeof id !== 'string' || this.symbolOf(id) === undefined) continue
      this.listener?.described(id, { ...amount('tick_size', tick), ...amount('lot_size', lot) })
    }
    return []
  }

  cut (detail: string): readonly SourceMessage[] {
    this.ticking.clear()
    return this.books.failAll({ reason: 'cut', detail })
  }

  private refused ({ message, reason }: Fields): void {
    const [, product] = NO_PRODUCT.exec(String(reason)) ?? []
    if (product !== undefined && this.symbolOf(product) !== undefined) {
      this.listener?.refused(product, `${String(message)}: ${String(reason)}`)
    }
  }

  private changes (product: string, events: readonly BookEvent[], now: number | undefined): SourceMessage[] {
    return [...this.books.take(events), ...this.judge(product, now)]
  }

  private check (
    product: string, { best_bid: bid, best_ask: ask }: Fields, now: number | undefined
  ): SourceMessage[] {
    if (!this.ticking.has(product)) {
      this.ticking.add(product)
      return []
    }
    if (now === undefined || typeof bid !== 'string' || typeof ask !== 'string') return []
    this.books.get(product)?.expect({ bid, ask }, now)
    return this.judge(product, now)
  }

  private judge (product: string, now: number | undefined): SourceMessage[] {
    const message = now === undefined ? undefined : this.books.get(product)?.judge(now)
    return message === undefined ? [] : [message]
  }

  private trade (
    product: string, symbol: string, frame: Fields, receivedAt: number | undefined
  ): SourceMessage[] {
    const id = frame['trade_id']
    if (!this.trades.isNew(product, id)) return []
    const { side } = frame
    const data = {
      symbol,
      price: plain(frame['price']),
      size: plain(frame['size']),
      timestamp: frame['time'],
      exchange: 'coinbase',
      // The feed names the side of the maker; a trade's `side` here is the taker's.
      side: side === 'sell' ? 'buy' : side === 'buy' ? 'sell' : side,
      // The publisher refuses an id that is not a number, or is too large to be exact.
      trade_id: Number.isSafeInteger(id) ? String(id) : id,
      ...receivedAtOf(receivedAt)
    }
    return [{ channel: 'trades', symbol, data }]
  }
}

function quote (symbol: string, frame: Fields): Quote {
  return {
    symbol,
    ...amount('bid', frame['best_bid']),
    ...amount('ask', frame['best_ask']),
    ...amount('last', frame['price']),
    ...amount('bid_size', frame['best_bid_size']),
    ...amount('ask_size', frame['best_ask_size']),
    ...amount('volume', frame['volume_24h']),
    ...amount('open', frame['open_24h']),
    ...amount('high', frame['high_24h']),
    ...amount('low', frame['low_24h']),
    ...(typeof frame['time'] === 'string' ? { venue_time: frame['time'] } : {})
  }
}
