import type { Order } from '@tickwire/protocol'
import type { Client } from './client.js'
import { Listeners } from './listeners.js'

/** How many are kept, where nobody reads the stream that would confirm them. */
const MOST = 1000

/**
 * How orders look that an action has changed, until the stream says what became of them: views show them so,
 * and take it back where the server refuses the action.
 */
class PendingOrders {
  /** New orders, by `client_order_id`. */
  readonly #added = new Map<string, Order>()
  /** Changes of orders that the server has, by `order_id`. */
  readonly #changed = new Map<string, Partial<Order>>()
  readonly listeners = new Listeners()

  add (clientOrderId: string, order: Order): void {
    this.#keep(this.#added, clientOrderId, order)
  }

  change (orderId: string, change: Partial<Order>): void {
    this.#keep(this.#changed, orderId, change)
  }

  /** The server has refused the action. */
  takeBack (id: string): void {
    const isGone = this.#added.delete(id)
    if (this.#changed.delete(id) || isGone) this.listeners.tell()
  }

  /** The stream says what the order is now. */
  confirm ({ order_id: orderId, client_order_id: clientOrderId }: Order): void {
    this.takeBack(orderId)
    if (clientOrderId !== undefined) this.takeBack(clientOrderId)
  }

  /** Returns orders as they look with what is pending. */
  show (orders: readonly Order[]): Order[] {
    const changed = orders.map(order => ({ ...order, ...this.#changed.get(order.order_id) }))
    return [...this.#added.values(), ...changed]
  }

  #keep<Value> (kept: Map<string, Value>, id: string, value: Value): void {
    kept.set(id, value)
    const oldest = kept.keys().next()
    if (kept.size > MOST && oldest.done !== true) kept.delete(oldest.value)
    this.listeners.tell()
  }
}

const all = new WeakMap<Client, PendingOrders>()

/** Returns the pending orders of a client, which actions change and views show. */
export function pendingOrdersOf (client: Client): PendingOrders {
  let pending = all.get(client)
  if (pending === undefined) all.set(client, pending = new PendingOrders())
  return pending
}
