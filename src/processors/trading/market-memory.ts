import {
  type Book, book as bookChannel, isZeroDecimal, market as marketChannel, type MarketStatus, type Quote,
  quotes as quotesChannel, reduceBook, type Topic, type Trade, trades as tradesChannel
} from '@tickwire/protocol'
import { bookOfQuote, type DisplayedBook, type MarketView } from '../../trading/market-view.js'
import type { Input } from '../processor.js'

/** What is known of the market, where it matters: states of topics, as the log has them. */
export class MarketMemory implements MarketView {
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

  book (symbol: string): DisplayedBook | undefined {
    const quote = this.quotes.get(symbol)
    return this.books.get(symbol) ?? (quote === undefined ? undefined : bookOfQuote(quote))
  }

  last (symbol: string): string | undefined {
    return this.lasts.get(symbol)
  }

  status (market: string | undefined): MarketStatus | undefined {
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
