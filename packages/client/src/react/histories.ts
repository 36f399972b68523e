import type { KeyedChannels, PlainChannels } from '../channels.js'
import { pendingOrdersOf } from '../pending-orders.js'
import { useStore } from './store.js'

type Trade = KeyedChannels['trades']
type Order = PlainChannels['orders']['data']

const NO_TRADES: readonly Trade[] = []
const NO_ORDERS: readonly Order[] = []
const TRADES = 50

/**
 * Returns the newest trades of a symbol, newest first. After a reset the list begins anew.
 * @param limit how many to begin with and to keep: 1–10000
 */
export function useTrades (symbol: string, { limit = TRADES }: { limit?: number } = {}): readonly Trade[] {
  return useStore(`trades ${limit} ${symbol}`, (client, changed) => {
    let trades = NO_TRADES
    let arrived: Trade[] = []
    const subscription = client.subscribe('trades', [symbol], { last: limit })
    subscription.listen(event => {
      if (event.type !== 'reset') arrived.push(event)
      // Up to the sequence of the reset, nothing is lost.
      else {
        trades = [...arrived.reverse(), ...trades].filter(({ sequence }) => sequence <= (event.sequence ?? 0))
        arrived = []
      }
      if (arrived.length > 2 * limit) arrived.splice(0, arrived.length - limit)
      changed()
    })
    return {
      read () {
        if (arrived.length > 0) trades = [...arrived.reverse(), ...trades].slice(0, limit)
        arrived = []
        return trades
      },
      close: subscription.close
    }
  }, NO_TRADES)
}

/**
 * Returns the orders of the token's user, newest first: the newest hundred, and all that change meanwhile. An
 * order that an action has sent is there at once, and goes if the server refuses it.
 */
export function useOrders (): readonly Order[] {
  return useStore('orders', (client, changed) => {
    const orders = new Map<string, Order>()
    const pending = pendingOrdersOf(client)
    const stop = pending.listeners.add(() => {
      isChanged = true
      changed()
    })
    let [isChanged, value] = [false, NO_ORDERS]
    const put = (order: Order): void => {
      const known = orders.get(order.order_id)
      const isOlder = (order.updated_at ?? '') < (known?.updated_at ?? '')
      if (known !== undefined && isOlder) return
      orders.set(order.order_id, order)
      isChanged = true
      changed()
    }
    /** The stream brings only what the user has not acknowledged yet, so the rest is read. */
    const read = async (): Promise<void> => {
      const response = await client.fetch('v1/orders?limit=100')
      if (!response.ok) return
      for (const order of (await response.json() as { orders: Order[] }).orders) put(order)
    }
    const subscription = client.subscribe('orders')
    subscription.listen(event => {
      if (event.type === 'reset') void read().catch(() => {})
      else {
        pending.confirm(event.data)
        put(event.data)
      }
    })
    void subscription.result.then(read).catch(() => {})
    const newestFirst = (a: Order, b: Order): number => (b.created_at ?? '') < (a.created_at ?? '') ? -1 : 1
    return {
      read () {
        if (isChanged) value = pending.show([...orders.values()]).sort(newestFirst)
        isChanged = false
        return value
      },
      close () {
        stop()
        subscription.close()
      }
    }
  }, NO_ORDERS)
}
