import type { StrategyResults } from '@tickwire/protocol'
import Big from 'big.js'

/** Divides to 8 decimals, half to even; sums and products are exact. */
const Share = Big()
Share.DP = 8
Share.RM = Share.roundHalfEven

export type KeptResults = Pick<StrategyResults, 'position' | 'cost' | 'realized_pnl' | 'fees'>

/**
 * What a strategy has bought, sold and paid, exact. A partial sale takes its share of the cost, rounded to 8
 * decimals; the remainder stays with the position, so that nothing is lost.
 */
export class Results {
  private constructor (
    private held: Big, private cost: Big, private realized: Big, private paid: Big
  ) {}

  static of (kept?: KeptResults): Results {
    const { position = '0', cost = '0', realized_pnl: realized = '0', fees = '0' } = kept ?? {}
    return new Results(new Share(position), new Share(cost), new Share(realized), new Share(fees))
  }

  get position (): Big {
    return this.held
  }

  buy (quantity: string, price: string, fee = '0'): void {
    this.held = this.held.plus(quantity)
    this.cost = this.cost.plus(new Share(quantity).times(price))
    this.paid = this.paid.plus(fee)
  }

  /** Sells at most what there is; of more than that, nobody knows what it has cost. */
  sell (quantity: string, price: string, fee = '0'): void {
    this.paid = this.paid.plus(fee)
    const sold = this.held.lt(quantity) ? this.held : new Share(quantity)
    if (sold.eq(0)) return
    const share = sold.eq(this.held) ? this.cost : this.cost.times(sold).div(this.held)
    this.realized = this.realized.plus(sold.times(price)).minus(share)
    this.cost = this.cost.minus(share)
    this.held = this.held.minus(sold)
  }

  /** Returns realized and unrealized profit and loss, after fees. @param price values the position */
  pnl (price: string | undefined): Big {
    const unrealized = price === undefined || this.held.eq(0)
      ? new Share(0)
      : this.held.times(price).minus(this.cost)
    return this.realized.plus(unrealized).minus(this.paid)
  }

  kept (): KeptResults {
    return {
      position: this.held.toFixed(),
      cost: this.cost.toFixed(),
      realized_pnl: this.realized.toFixed(),
      fees: this.paid.toFixed()
    }
  }
}
