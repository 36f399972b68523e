import type { OpenOrder } from '@tickwire/protocol'
import {
  type BrokerCancel, type BrokerOrder, type BrokerReplace, ORDER_FIELDS
} from '../../brokers/broker.js'
import { fieldsOf } from '../../fields-of.js'
import type { Decision } from '../../trading/state.js'

/** Something that the broker must get. */
export type Errand =
  | { readonly kind: 'submit', readonly key: string, readonly order: BrokerOrder }
  | { readonly kind: 'cancel', readonly key: string, readonly request: BrokerCancel }
  | { readonly kind: 'replace', readonly key: string, readonly request: BrokerReplace }

const SUBMIT = 'submit'

/**
 * What the broker must get, as the orders say it: each order until the broker has said anything of it, and
 * each request about it until the broker has answered it. What was given once is given again only if
 * {@link giveAgain} says so.
 */
export class Outbox {
  /** Orders with errands, by id, in the order in which they came. */
  private readonly orders = new Map<string, OpenOrder>()
  /** By order, the keys of what the broker has got. */
  private readonly given = new Map<string, Set<string>>()
  /** Orders of which an errand is under way, or waits after a failure. */
  private readonly busy = new Set<string>()

  /** Whether there is anything that the broker must get of an order, or has got and not answered. */
  has (id: string): boolean {
    return this.orders.has(id)
  }

  /** Takes note of how orders stand after a decision. */
  update (orders: Decision['open']): void {
    for (const order of orders) {
      const { order_id: id } = order
      if (!('gone' in order) && errandsOf(order).length > 0) this.orders.set(id, order)
      else {
        this.orders.delete(id)
        this.given.delete(id)
      }
    }
  }

  /** Takes errands, at most one of each order: the next one is due when this one is given. */
  take (most: number): Errand[] {
    const taken: Errand[] = []
    for (const [id, order] of this.orders) {
      if (taken.length >= most) break
      const errand = this.busy.has(id) ? undefined : this.nextOf(order)
      if (errand === undefined) continue
      this.busy.add(id)
      taken.push(errand)
    }
    return taken
  }

  /** Notes that the broker has an errand. */
  markGiven (errand: Errand): void {
    const id = orderOf(errand)
    if (this.orders.has(id)) this.given.set(id, (this.given.get(id) ?? new Set()).add(errand.key))
  }

  /** Lets an order have its next errand, or the same one once more. */
  release (errand: Errand): void {
    this.busy.delete(orderOf(errand))
  }

  /** Has everything given again that the broker has not answered: it may have lost it. */
  giveAgain (): void {
    this.given.clear()
  }

  private nextOf (order: OpenOrder): Errand | undefined {
    const given = this.given.get(order.order_id)
    return errandsOf(order).find(({ key }) => given?.has(key) !== true)
  }
}

/** Returns the order that an errand is about. */
export const orderOf = (errand: Errand): string =>
  errand.kind === 'submit' ? errand.order.order_id : errand.request.order_id

function errandsOf (order: OpenOrder): Errand[] {
  const { broker, order_id: id, status } = order
  if (broker === undefined) return []
  const asks = broker.asks.map((ask): Errand => {
    const { action, ...asked } = ask
    const request = { order_id: id, ...asked }
    return action === 'cancel'
      ? { kind: 'cancel', key: `${action} ${ask.request_id}`, request }
      : { kind: 'replace', key: `${action} ${ask.request_id}`, request: request as BrokerReplace }
  })
  if (status !== 'pending_new') return asks
  return [{ kind: 'submit', key: SUBMIT, order: fieldsOf(order, ORDER_FIELDS) }, ...asks]
}
