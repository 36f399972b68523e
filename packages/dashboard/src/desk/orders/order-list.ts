import { useMemo } from 'react'
import type { Order } from '@tickwire/protocol'
import { useOrders } from '@tickwire/client/react'
import { type Pages, usePages, useReadTurn } from '../pages.js'

export const FILTERS = ['open', 'closed', 'all'] as const
export type Filter = typeof FILTERS[number]

const ENDED: ReadonlySet<string> = new Set(['filled', 'canceled', 'rejected', 'expired'])
export const isOpen = ({ status }: Order): boolean => !ENDED.has(status)

/** Returns whether the server has the order yet: before its answer, it has the client's name alone. */
export const isKnown = ({ order_id: id, client_order_id: name }: Order): boolean => id !== name

interface OrdersAnswer {
  readonly orders: readonly Order[]
  readonly next: string | null
  readonly more: boolean
}

const ordersOf = ({ orders }: OrdersAnswer): readonly Order[] => orders
const newestFirst = (a: Order, b: Order): number => (b.created_at ?? '') < (a.created_at ?? '') ? -1 : 1

/** Returns the orders of the user, newest first: what the server had, page by page, and all changes since. */
export function useOrderList (filter: Filter): Omit<Pages<Order>, 'next'> {
  const live = useOrders()
  const turn = useReadTurn('orders')
  const { items: read, ...rest } = usePages(`v1/orders?limit=100&status=${filter}`, ordersOf, turn)
  const items = useMemo(() => {
    const byId = new Map(read.map(order => [order.order_id, order]))
    for (const order of live) {
      const known = byId.get(order.order_id)
      const isOlder = known !== undefined && (order.updated_at ?? '') < (known.updated_at ?? '')
      if (!isOlder) byId.set(order.order_id, order)
    }
    return [...byId.values()]
      .filter(order => filter === 'all' || isOpen(order) === (filter === 'open'))
      .sort(newestFirst)
  }, [live, read, filter])
  return { ...rest, items }
}
