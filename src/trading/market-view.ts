import { type BookLevel, isZeroDecimal, type MarketStatus, type Quote } from '@tickwire/protocol'

/** A book as it is displayed: levels best first, none of size zero. */
export interface DisplayedBook {
  readonly bids: readonly BookLevel[]
  readonly asks: readonly BookLevel[]
  /** Nobody knows what it holds, until its next snapshot. */
  readonly stale?: boolean
}

/** What is known of the market at this moment. The caller keeps it; it is no part of the exchange's state. */
export interface MarketView {
  book (symbol: string): DisplayedBook | undefined
  /** The last price: of a trade, or `last` of a quote. */
  last (symbol: string): string | undefined
  /** @param market undefined for an instrument without a market */
  status (market: string | undefined): Pick<MarketStatus, 'status'> | undefined
}

/**
 * Returns the book of one level that a quote makes for a symbol without a book: best bid and best ask with
 * their sizes. A price without a size offers nothing.
 */
export function bookOfQuote (quote: Quote): DisplayedBook | undefined {
  const bids = levelOf(quote.bid, quote.bid_size)
  const asks = levelOf(quote.ask, quote.ask_size)
  return bids.length + asks.length === 0 ? undefined : { bids, asks }
}

const levelOf = (price: string | undefined, size: string | undefined): BookLevel[] =>
  price === undefined || size === undefined || isZeroDecimal(size) ? [] : [[price, size]]
