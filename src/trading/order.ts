import type { OpenOrder, Order, OrderStatus } from '@tickwire/protocol'
import { averagePrice, format, money, type Money, withFee, ZERO } from './money.js'

/**
 * What each status of an order may change to. An order is `pending_new` until the exchange has decided about
 * it, so that is where every order begins. A status that changes to nothing ends the order.
 */
export const TRANSITIONS: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  pending_new: ['new', 'rejected', 'canceled'],
  new: ['partially_filled', 'filled', 'pending_cancel', 'canceled', 'replaced', 'expired'],
  partially_filled: ['partially_filled', 'filled', 'pending_cancel', 'canceled', 'replaced', 'expired'],
  replaced: ['partially_filled', 'filled', 'pending_cancel', 'canceled', 'replaced', 'expired'],
  // A broker that cannot cancel the order sets it back to the status that it had.
  pending_cancel: ['new', 'partially_filled', 'replaced', 'filled', 'canceled', 'expired'],
  filled: [],
  canceled: [],
  rejected: [],
  expired: []
}

export type OrderSide = Order['side']

/** Returns whether an order may still change. */
export const isOpen = (status: OrderStatus): boolean => TRANSITIONS[status].length > 0

/**
 * Returns an order in its next status.
 * @throws Error if the table does not allow that: it would be a fault of the exchange
 */
export function inStatus (order: OpenOrder, status: OrderStatus): OpenOrder {
  if (!TRANSITIONS[order.status].includes(status)) {
    throw new Error(`order ${order.order_id} cannot change from ${order.status} to ${status}`)
  }
  return { ...order, status }
}

/** Returns what is not filled. */
export const leavesOf = ({ quantity, filled_qty: filled }: OpenOrder): Money => money(quantity).minus(filled)

/** Returns whether an order stands in the market for its trigger. */
export const awaitsTrigger = ({ order_type: type, triggered }: OpenOrder): boolean =>
  (type === 'stop' || type === 'stop_limit') && triggered !== true

/** Returns whether an order takes any price, once it is in the market. */
export const takesAnyPrice = ({ order_type: type }: OpenOrder): boolean =>
  type === 'market' || type === 'stop'

/** Returns whether an order is filled at once or not at all, so that it never waits in the market. */
export const isImmediate = ({ order_type: type, time_in_force: force }: OpenOrder): boolean =>
  type === 'market' || force === 'ioc' || force === 'fok'

/**
 * Returns the cash that an order reserves: for what is left of it, at the worst price that it takes. The
 * worst price of a stop order is not known, so its stop price counts. A market order reserves nothing,
 * because it is decided at once.
 */
export function reservedFor (order: OpenOrder): Money {
  const price = order.limit_price ?? order.stop_price
  if (order.side === 'sell' || price === undefined) return ZERO
  return withFee(leavesOf(order).times(price), order.fee_rate)
}

/** What a message has beyond the order itself. */
export type Details = Pick<Order, 'exec_id' | 'last_qty' | 'last_price' | 'fee' | 'reason'>

/** Returns the message of a change. @param time milliseconds since 1970 */
export function messageOf (order: OpenOrder, time: number, details: Details = {}): Order {
  const { limit_price: limit, stop_price: stop } = order
  return {
    order_id: order.order_id,
    client_order_id: order.client_order_id,
    symbol: order.symbol,
    currency: order.currency,
    side: order.side,
    order_type: order.order_type,
    time_in_force: order.time_in_force,
    status: order.status,
    quantity: order.quantity,
    filled_qty: order.filled_qty,
    leaves_qty: format(leavesOf(order)),
    ...(limit === undefined ? {} : { limit_price: limit }),
    ...(stop === undefined ? {} : { stop_price: stop }),
    ...(order.fills === 0 ? {} : { avg_price: averageOf(order) }),
    ...details,
    created_at: order.created_at,
    updated_at: new Date(time).toISOString()
  }
}

const averageOf = ({ notional, filled_qty: filled, decimals }: OpenOrder): string =>
  averagePrice(money(notional), money(filled), decimals)

/**
 * Returns the answer to a request that cannot be done: what the last message of the order said of it, and the
 * reason.
 */
export function answerOf (last: Order, time: number, reason: string): Order {
  const { exec_id: _id, last_qty: _quantity, last_price: _price, fee: _fee, ...order } = last
  return { ...order, reason, updated_at: new Date(time).toISOString() }
}
