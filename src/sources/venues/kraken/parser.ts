import type { Quote } from '@tickwire/protocol'
import type { Books } from '../../../book/books.js'
import { parseExact } from '../../../book/exact-json.js'
import { createKrakenChecksum } from '../../../book/kraken/checksum.js'
import { krakenDepth, krakenV1, krakenV2 } from '../../../book/kraken/frames.js'
import { isObject } from '../../../book/levels.js'
import { VenueBook } from '../../../book/venue-book.js'
import type { SourceMessage } from '../../source.js'
import { booksOf } from '../books-of.js'
import { amount, type Fields, plain } from '../fields.js'
import { receivedAtOf } from '../instants.js'
import { TradeNumbers } from '../trade-numbers.js'
import type { FeedListener, ParserOptions, VenueParser } from '../venue.js'
import { symbolOf } from './pairs.js'

/** The depth of a book for which a subscription names none. */
const DEFAULT_DEPTH = 10
/** What Kraken says of a subscription that stands already, or that came too fast: the symbol is there. */
const PASSING_REFUSAL = /\b(?:already|rate limit|exceeded|busy|try again)\b/i

/** Reads books in either version of the feed; quotes, trades and instruments in version 2. */
export class KrakenParser implements VenueParser {
  private readonly depths = new Map<string, number>()
  private readonly books: Books
  private readonly symbolOf: (pair: string) => string | undefined
  private readonly listener: FeedListener | undefined
  private readonly trades: TradeNumbers

  constructor (options: ParserOptions = {}) {
    const { listener, lastTrades } = options
    this.symbolOf = options.symbolOf ?? symbolOf
    this.listener = listener
    this.trades = new TradeNumbers(listener, lastTrades)
    this.books = booksOf(this.symbolOf, listener, (given, pair) => new VenueBook({
      ...given, depth: this.depths.get(pair) ?? DEFAULT_DEPTH, checksumOf: createKrakenChecksum()
    }))
  }

  parse (payload: string, receivedAt?: number): readonly SourceMessage[] {
    if (payload.startsWith('[')) return this.books.take(krakenV1(JSON.parse(payload)))
    const frame = parseExact(payload)
    if (!isObject(frame)) return []
    switch (frame['channel']) {
      case 'book': return this.books.take(krakenV2(frame))
      case 'ticker': return this.each(frame, quote)
      case 'trade': return this.tradesOf(frame, receivedAt)
      case 'instrument': this.describe(frame['data'])
        return []
      default: this.answered(frame)
        return []
    }
  }

  cut (detail: string): readonly SourceMessage[] {
    return this.books.failAll({ reason: 'cut', detail })
  }

  private each (
    { data }: Fields, make: (symbol: string, item: Fields) => SourceMessage
  ): SourceMessage[] {
    const messages: SourceMessage[] = []
    for (const item of Array.isArray(data) ? data as unknown[] : []) {
      const pair = isObject(item) ? item['symbol'] : undefined
      const symbol = typeof pair === 'string' ? this.symbolOf(pair) : undefined
      if (symbol !== undefined) messages.push(make(symbol, item as Fields))
    }
    return messages
  }

  private tradesOf (frame: Fields, receivedAt: number | undefined): SourceMessage[] {
    const { data } = frame
    if (!Array.isArray(data)) return []
    // A snapshot repeats trades of before.
    const news = (data as unknown[]).filter(isObject)
      .sort((a, b) => Number(a['trade_id']) - Number(b['trade_id']))
      .filter(({ symbol, trade_id: id }) => typeof symbol === 'string' &&
        this.symbolOf(symbol) !== undefined && this.trades.isNew(symbol, Number(id)))
    const received = receivedAtOf(receivedAt)
    return this.each({ data: news }, (symbol, item) => trade(symbol, item, received))
  }

  /** Reads the answer to a subscription. */
  private answered (frame: Fields): void {
    const subscribed = krakenDepth(frame)
    if (subscribed !== undefined && this.symbolOf(subscribed.symbol) !== undefined) {
      this.depths.set(subscribed.symbol, subscribed.depth)
    }
    const { method, success, symbol, error } = frame
    if (method !== 'subscribe' || success !== false || typeof symbol !== 'string') return
    const reason = String(error)
    if (!PASSING_REFUSAL.test(reason)) this.listener?.refused(symbol, reason)
  }

  private describe (data: unknown): void {
    const { listener } = this
    const pairs = isObject(data) ? data['pairs'] : undefined
    if (listener === undefined || !Array.isArray(pairs)) return
    for (const item of pairs as unknown[]) {
      const pair = isObject(item) ? item['symbol'] : undefined
      if (!isObject(item) || typeof pair !== 'string' || this.symbolOf(pair) === undefined) continue
      listener.described(pair, {
        ...amount('tick_size', item['price_increment']), ...amount('lot_size', item['qty_increment'])
      })
    }
  }
}

function quote (symbol: string, item: Fields): SourceMessage {
  const time = item['timestamp']
  const data: Quote = {
    symbol,
    ...amount('bid', item['bid']),
    ...amount('ask', item['ask']),
    ...amount('last', item['last']),
    ...amount('bid_size', item['bid_qty']),
    ...amount('ask_size', item['ask_qty']),
    ...amount('volume', item['volume']),
    ...amount('change', item['change']),
    ...amount('change_percent', item['change_pct']),
    ...amount('high', item['high']),
    ...amount('low', item['low']),
    ...(typeof time === 'string' ? { venue_time: time } : {})
  }
  return { channel: 'quotes', symbol, data }
}

const trade = (symbol: string, item: Fields, received: { readonly received_at?: string }): SourceMessage => ({
  channel: 'trades',
  symbol,
  data: {
    symbol,
    price: plain(item['price']),
    size: plain(item['qty']),
    timestamp: item['timestamp'],
    exchange: 'kraken',
    side: item['side'],
    trade_id: item['trade_id'],
    ...received
  }
})
