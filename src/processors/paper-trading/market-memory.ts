import {
  type Book, book as bookChannel, isZeroDecimal, market as marketChannel, type MarketStatus, type Quote,
  quotes as quotesChannel, reduceBook, type Topic, type Trade, trades as tradesChannel
} from '@tickwire/protocol'
import type { Input } from '../processor.js'

/** The best levels of a book, best first. */
type Displayed = Pick<Book, 'bids' | 'asks' | 'stale'>

/** What is known of the market, where it matters: states of topics, as the log has them. */
export class MarketMemory {
  private readonly books = new Map<string, Book>()
  private readonly quotes = new Map<string, Quote>()
  /** By symbol, the price of the newest trade, or the newest `last` of its quotes. */
  private readonly lasts = new Map<string, string>()
  private readonly statuses = new Map<string, MarketStatus>()

  /** Learns the state of a topic; undefined if it has none. */
  learn ({ channel, symbol = '' }: Topic, state: unknown): void {
    if (state === undefined) return
    if (channel === bookChannel.name) this.books.set(symbol, state as Book)
    else if (channel === marketChannel.name) this.statuses.set(symbol, state as MarketStatus)
    else if (channel === quotesChannel.name) this.learnQuote(symbol, state as Quote)
  }

  /** Takes note of a message that is newer than all before it. */
  observe ({ topic, data, replaces }: Pick<Input, 'topic' | 'data' | 'replaces'>): void {
    const { channel, symbol = '' } = topic
    if (channel === bookChannel.name) {
      this.books.set(symbol, reduceBook(this.books.get(symbol), data as Book, replaces))
    } else if (channel === tradesChannel.name) {
      if (isFill(data as Trade)) this.lasts.set(symbol, (data as Trade).price)
    } else this.learn(topic, data)
  }

  /** Whether a symbol has a book of its own; otherwise its quotes are one. */
  hasBook (symbol: string): boolean {
    return this.books.has(symbol)
  }

  book (symbol: string): Displayed | undefined {
    return this.books.get(symbol) ?? asBook(this.quotes.get(symbol))
  }

  last (symbol: string): string | undefined {
    return this.lasts.get(symbol)
  }

  status (market: string | undefined): Pick<MarketStatus, 'status' | 'reason'> | undefined {
    return market === undefined ? undefined : this.statuses.get(market)
  }

  forget ({ channel, symbol = '' }: Topic): void {
    if (channel === bookChannel.name) this.books.delete(symbol)
    else if (channel === marketChannel.name) this.statuses.delete(symbol)
    else if (channel === quotesChannel.name) {
      this.quotes.delete(symbol)
      this.lasts.delete(symbol)
    }
  }

  private learnQuote (symbol: string, quote: Quote): void {
    this.quotes.set(symbol, quote)
    if (quote.last !== undefined) this.lasts.set(symbol, quote.last)
  }
}

/** Whether a trade tells of a fill; a correction tells of one that was before. */
export const isFill = ({ corrects, size }: Trade): boolean => corrects === undefined && !isZeroDecimal(size)

/** Returns a book of one level. A side without a size is empty. */
function asBook (quote: Quote | undefined): Displayed | undefined {
  if (quote === undefined) return undefined
  const { bid, bid_size: bidSize, ask, ask_size: askSize } = quote
  if (bidSize === undefined && askSize === undefined) return undefined
  return {
    bids: bid === undefined || bidSize === undefined || isZeroDecimal(bidSize) ? [] : [[bid, bidSize]],
    asks: ask === undefined || askSize === undefined || isZeroDecimal(askSize) ? [] : [[ask, askSize]]
  }
}
