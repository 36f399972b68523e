import type { Balances, Fees } from './settings.js'

/** What the operator decides about the paper exchange. */
export interface Rules {
  /** What an account begins with. */
  readonly balances: Balances
  readonly fees: Fees
  /** The currency of totals. */
  readonly base: string
  readonly bounds: Bounds
}

/** What one user may have. */
export interface Bounds {
  readonly openOrders: number
  readonly positions: number
}

/** Why the exchange did not do what a user wanted, as messages say it. */
export const REASONS = {
  accountReset: 'account reset',
  asked: 'a request about the order is not answered yet',
  badQuantity: 'the new quantity must be above what is filled',
  brokerAway: 'the broker cannot be reached; the order waits',
  endOfDay: 'end of the day',
  immediateStop: 'a stop order must be day or gtc',
  insufficientCash: 'insufficient buying power',
  insufficientPosition: 'insufficient position',
  marketClosed: 'market closed',
  marketHalted: 'market halted',
  marketNotOpen: 'market not open yet',
  marketStale: 'market data stale',
  noBook: 'no market data',
  noLimit: 'the order has no limit price',
  noLiquidity: 'no liquidity',
  noStop: 'the order has no stop price',
  notDecided: 'the order is not accepted yet',
  ordersBound: 'too many open orders',
  orderEnded: 'the order has ended',
  positionsBound: 'too many positions',
  triggered: 'triggered',
  wasTriggered: 'the stop price has been reached already'
} as const
