import type { Order, SignalName, StrategyRecord, StrategyResults } from '@tickwire/protocol'
import Big from 'big.js'
import type { KeptResults, Results } from './results.js'

/** Statuses of an order that will not be filled any more. */
const ENDED: ReadonlySet<string> = new Set(['filled', 'canceled', 'rejected', 'expired'])

/** Ended orders that are remembered: more than signals can be repeated. */
const MOST_ENDED = 1000

/** A market order of a strategy. */
export interface StrategyOrder {
  /** `<strategy_id>.<what the signal follows from>`: the same signal makes the same order. */
  readonly client_order_id: string
  readonly symbol: string
  readonly side: 'buy' | 'sell'
  readonly order_type: 'market'
  readonly time_in_force: 'day'
  readonly quantity: string
}

/**
 * Submits an order for a user. An order with the same `client_order_id` is the same order.
 * @throws ProtocolError why the request was refused
 */
export type SubmitOrder = (user: string, order: StrategyOrder) => Promise<void>

interface Counted {
  readonly epoch: number
  readonly offset: number
}

/** The orders of a strategy: those that are under way, and what has come of the others. */
export class StrategyOrders {
  /** By client_order_id, what may still be bought, or sold if it is negative. */
  private readonly underWay = new Map<string, Big>()
  /** By client_order_id, orders that have ended in this run: a signal that is repeated makes none of them. */
  private readonly ended = new Set<string>()
  private counted: Counted | undefined

  constructor (
    private readonly record: StrategyRecord,
    readonly results: Results,
    private readonly submit: SubmitOrder | undefined
  ) {
    const { epoch, offset } = record.results ?? {}
    if (epoch !== undefined && offset !== undefined) this.counted = { epoch, offset }
  }

  /** Returns the position if everything that is under way is filled. */
  expected (): Big {
    return [...this.underWay.values()].reduce((sum, quantity) => sum.plus(quantity), this.results.position)
  }

  /** Returns the order that a signal means; undefined if there is nothing to sell. */
  orderOf (signal: SignalName, quantity: string | undefined, key: string): StrategyOrder | undefined {
    const { strategy_id: id, symbol, quantity: usual } = this.record
    const wanted = new Big(quantity ?? usual)
    const sellable = this.sellable()
    const amount = signal === 'buy' ? wanted : signal === 'flat' || wanted.gt(sellable) ? sellable : wanted
    if (!amount.gt(0)) return undefined
    return {
      client_order_id: `${id}.${key}`,
      symbol,
      side: signal === 'buy' ? 'buy' : 'sell',
      order_type: 'market',
      time_in_force: 'day',
      quantity: amount.toFixed()
    }
  }

  /** Submits an order, unless it has ended already. @throws ProtocolError */
  async send (user: string, order: StrategyOrder): Promise<void> {
    const { client_order_id: id, side, quantity } = order
    if (this.ended.has(id)) return
    this.underWay.set(id, new Big(quantity).times(side === 'buy' ? 1 : -1))
    try {
      if (this.submit === undefined) throw new Error('there is no broker any more')
      await this.submit(user, order)
    } catch (error) {
      this.underWay.delete(id)
      throw error
    }
  }

  /** Counts an order as filled at a price. */
  assume ({ side, quantity }: StrategyOrder, price: string): void {
    this.results[side](quantity, price)
  }

  /** Takes a message of the user's orders. @returns whether it is news of an order of this strategy */
  take (order: Order, at: Counted): boolean {
    const { client_order_id: id, side, status, leaves_qty: left } = order
    const { last_qty: quantity, last_price: price } = order
    if (id === undefined || !id.startsWith(`${this.record.strategy_id}.`)) return false
    if (this.counted?.epoch === at.epoch && at.offset <= this.counted.offset) return false
    this.counted = at
    if (quantity !== undefined && price !== undefined) this.results[side](quantity, price, order.fee)
    if (ENDED.has(status)) {
      this.underWay.delete(id)
      this.ended.add(id)
      if (this.ended.size > MOST_ENDED) this.ended.delete(this.ended.keys().next().value!)
    } else if (left !== undefined) this.underWay.set(id, new Big(left).times(side === 'buy' ? 1 : -1))
    return true
  }

  kept (): KeptResults & Partial<Pick<StrategyResults, 'epoch' | 'offset'>> {
    return { ...this.results.kept(), ...this.counted }
  }

  private sellable (): Big {
    const selling = [...this.underWay.values()].filter(quantity => quantity.lt(0))
    return selling.reduce((sum, quantity) => sum.plus(quantity), this.results.position)
  }
}
