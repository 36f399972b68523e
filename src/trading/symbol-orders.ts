import { compareDecimals, type OpenOrder } from '@tickwire/protocol'
import { awaitsTrigger, type OrderSide } from './order.js'

type Compare = (a: OpenOrder, b: OpenOrder) => number

export const byNumber: Compare = (a, b) => a.number - b.number

const higherLimit: Compare = (a, b) => compareDecimals(b.limit_price!, a.limit_price!) || byNumber(a, b)
const lowerLimit: Compare = (a, b) => compareDecimals(a.limit_price!, b.limit_price!) || byNumber(a, b)
const higherStop: Compare = (a, b) => compareDecimals(b.stop_price!, a.stop_price!) || byNumber(a, b)
const lowerStop: Compare = (a, b) => compareDecimals(a.stop_price!, b.stop_price!) || byNumber(a, b)

/** Orders in an order that no two of them share. */
class SortedOrders {
  readonly items: OpenOrder[] = []

  constructor (private readonly compare: Compare) {}

  add (order: OpenOrder): void {
    this.items.splice(this.placeOf(order), 0, order)
  }

  remove (order: OpenOrder): void {
    this.items.splice(this.placeOf(order), 1)
  }

  /** Returns the index of an order, or where it would stand. */
  private placeOf (order: OpenOrder): number {
    let low = 0
    let high = this.items.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.compare(this.items[middle]!, order) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The open orders of one symbol, in the order in which they have their turn. */
export class SymbolOrders {
  /** Orders with a limit that are in the market, by price, then by number. */
  readonly limits = { buy: new SortedOrders(higherLimit), sell: new SortedOrders(lowerLimit) }
  /** Stop orders, the one that triggers first at the front. */
  readonly stops = { buy: new SortedOrders(lowerStop), sell: new SortedOrders(higherStop) }
  /** Orders that have not met the book yet. Those with a limit that may rest are among the limits, too. */
  readonly waiting = new SortedOrders(byNumber)
  /** How many orders each market has; instruments without a market are under the empty name. */
  readonly markets = new Map<string, number>()

  get isEmpty (): boolean {
    return this.markets.size === 0
  }

  add (order: OpenOrder): void {
    for (const list of this.listsOf(order)) list.add(order)
    const market = order.market ?? ''
    this.markets.set(market, (this.markets.get(market) ?? 0) + 1)
  }

  remove (order: OpenOrder): void {
    for (const list of this.listsOf(order)) list.remove(order)
    const market = order.market ?? ''
    const left = this.markets.get(market)! - 1
    if (left === 0) this.markets.delete(market)
    else this.markets.set(market, left)
  }

  private * listsOf (order: OpenOrder): Iterable<SortedOrders> {
    const { side, status, limit_price: limit, waiting } = order
    if (awaitsTrigger(order)) {
      yield this.stops[side]
      return
    }
    if (waiting === true) yield this.waiting
    if (limit !== undefined && status !== 'pending_new') yield this.limits[side]
  }
}

/** Returns whether a price is as good as a limit, or better, for somebody who trades on a side. */
export const isWithin = (price: string, limit: string, side: OrderSide): boolean =>
  side === 'buy' ? compareDecimals(price, limit) <= 0 : compareDecimals(price, limit) >= 0
