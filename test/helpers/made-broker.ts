import Big from 'big.js'
import type { BrokerEvent, BrokerOrder, BrokerReplace } from '../../src/index.js'

/** What a broker says, before it gives it a position. */
type Untold<Event> = Event extends BrokerEvent ? Omit<Event, 'position'> : never
export type Level = [price: string, size: string]

interface HeldOrder extends Omit<BrokerOrder, 'quantity' | 'limit_price'> {
  quantity: string
  limit_price?: string
  filled: Big
  isOpen: boolean
  /** The requests about it that are done. */
  readonly done: Set<string>
}

/** A broker with books, orders and events of its own. It does each request once, however often it comes. */
export class MadeBroker {
  readonly orders = new Map<string, HeldOrder>()
  readonly events: BrokerEvent[] = []
  /** Of each fill. */
  fee = '0'
  /** How often each order came. */
  readonly submitted = new Map<string, number>()
  /** Called after each event. */
  onEvent: () => void = () => {}
  private readonly books = new Map<string, { bids: Level[], asks: Level[] }>()
  private executions = 0

  /** Displays a book, and fills orders that wait for it. */
  show (symbol: string, bids: Level[], asks: Level[]): void {
    this.books.set(symbol, { bids: bids.map(([...level]) => level), asks: asks.map(([...level]) => level) })
    for (const order of this.orders.values()) if (order.symbol === symbol) this.match(order)
  }

  /** Says something, whether it is true or not. */
  say (event: Untold<BrokerEvent>): void {
    this.events.push({ ...event, position: String(this.events.length + 1) } as BrokerEvent)
    this.onEvent()
  }

  /** Returns why it cannot be done. */
  perform (action: string, id: string, body: unknown): string | undefined {
    if (action === 'submit') return this.submit(body as BrokerOrder)
    const { request_id: request, ...terms } = body as BrokerReplace
    const order = this.orders.get(id)
    if (order === undefined) return 'there is no such order'
    if (order.done.has(request)) return undefined
    if (!order.isOpen) return 'the order has ended'
    if (action === 'replace' && order.filled.gte(terms.quantity)) return 'too much is filled'
    order.done.add(request)
    if (action === 'cancel') this.end(order, 'canceled')
    else {
      Object.assign(order, terms)
      const { quantity, limit_price: limit } = terms
      this.say({
        type: 'replaced', order_id: id, request_id: request, quantity, ...limit === undefined ? {} : { limit_price: limit }
      })
      this.match(order)
    }
    return undefined
  }

  private submit (order: BrokerOrder): string | undefined {
    const { order_id: id } = order
    this.submitted.set(id, (this.submitted.get(id) ?? 0) + 1)
    if (this.orders.has(id)) return undefined
    if (order.symbol === 'REFUSED') return 'this broker does not know REFUSED'
    const held: HeldOrder = { ...order, filled: new Big(0), isOpen: true, done: new Set() }
    this.orders.set(id, held)
    if (order.order_type === 'market' && this.offers(held).length === 0) {
      this.end(held, 'rejected', 'no liquidity')
    } else {
      this.say({ type: 'accepted', order_id: id })
      this.match(held)
    }
    return undefined
  }

  private end (order: HeldOrder, type: 'canceled' | 'rejected', reason?: string): void {
    order.isOpen = false
    this.say({ type, order_id: order.order_id, ...reason === undefined ? {} : { reason } })
  }

  private offers ({ symbol, side, limit_price: limit }: HeldOrder): Level[] {
    const { bids, asks } = this.books.get(symbol) ?? { bids: [], asks: [] }
    return (side === 'buy' ? asks : bids).filter(([price, size]) => new Big(size).gt(0) &&
      (limit === undefined || (side === 'buy' ? new Big(price).lte(limit) : new Big(price).gte(limit))))
  }

  private match (order: HeldOrder): void {
    for (const level of order.isOpen ? this.offers(order) : []) {
      const left = new Big(order.quantity).minus(order.filled)
      const quantity = left.lt(level[1]) ? left : new Big(level[1])
      if (quantity.eq(0)) break
      level[1] = new Big(level[1]).minus(quantity).toFixed()
      order.filled = order.filled.plus(quantity)
      order.isOpen = order.filled.lt(order.quantity)
      this.say({
        type: 'filled', order_id: order.order_id, execution_id: `x${++this.executions}`, quantity: quantity.toFixed(), price: level[0], fee: this.fee
      })
    }
    if (order.isOpen && order.order_type === 'market') this.end(order, 'canceled', 'no liquidity')
  }
}
