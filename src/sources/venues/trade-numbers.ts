import type { FeedListener } from './venue.js'

/**
 * The numbers of a venue's trades, which grow by one with each trade of a symbol. So a trade that comes twice
 * is passed on once, and one that does not come is noticed.
 */
export class TradeNumbers {
  constructor (
    private readonly listener: Pick<FeedListener, 'missedTrades'> | undefined,
    private readonly newest = new Map<string, number>()
  ) {}

  /** @returns whether a trade has not come before; what is no number is left to the publisher to judge */
  isNew (symbol: string, number: unknown): boolean {
    if (typeof number !== 'number' || !Number.isSafeInteger(number)) return true
    const newest = this.newest.get(symbol)
    if (newest !== undefined && number <= newest) return false
    if (newest !== undefined && number > newest + 1) this.listener?.missedTrades(symbol, number - newest - 1)
    this.newest.set(symbol, number)
    return true
  }
}
