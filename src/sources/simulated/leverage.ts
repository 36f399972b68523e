import { LiquidationModel } from '../../heatmap/liquidations.js'

/** What a taker wants to trade. */
export interface TakerTrade {
  readonly side: 'buy' | 'sell'
  /** In units (prices.ts). */
  readonly amount: number
}

/**
 * The positions with borrowed money in one instrument. If a trade reaches the price at which some of them are
 * liquidated, their exchange sells the long ones, and buys back the short ones, at the next turns.
 */
export class Leverage {
  private readonly model = new LiquidationModel()
  /** What is still to be bought; below 0: to be sold. */
  private pending = 0

  /** Notes a trade. @param price and size in units @param time of the market's clock */
  note (price: number, size: number, side: 'buy' | 'sell', time: number): void {
    const { long, short } = this.model.trade({ price, size, side, time })
    this.pending += (short - long) / price
  }

  /** Returns the trade that must come next; undefined: none. */
  next (): TakerTrade | undefined {
    const amount = Math.floor(Math.abs(this.pending))
    return amount === 0 ? undefined : { side: this.pending > 0 ? 'buy' : 'sell', amount }
  }

  /** Notes how much of the forced trade was made: the book may have less. */
  settle ({ side }: TakerTrade, made: number): void {
    this.pending -= side === 'buy' ? made : -made
  }
}
