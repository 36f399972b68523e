import type { PlainChannels } from '../channels.js'
import type { Client } from '../client.js'
import { pendingOrdersOf } from '../pending-orders.js'
import { type Opened, useStore } from './store.js'

type Order = PlainChannels['orders']['data']

const NO_ORDERS: readonly Order[] = []
const NEWEST = 100
/** After how long to ask for orders again that could not be read. */
const AGAIN_MS = 2000

const newestFirst = (a: Order, b: Order): number => (b.created_at ?? '') < (a.created_at ?? '') ? -1 : 1

function openOrders (client: Client, changed: () => void): Opened<readonly Order[]> {
  const orders = new Map<string, Order>()
  const pending = pendingOrdersOf(client)
  let [isChanged, value] = [false, NO_ORDERS]
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Grows with each reset, so that an answer from before it is dropped. */
  let reading = 0
  const change = (): void => {
    isChanged = true
    changed()
  }
  const put = (order: Order): void => {
    const known = orders.get(order.order_id)
    if (known !== undefined && (order.updated_at ?? '') < (known.updated_at ?? '')) return
    orders.set(order.order_id, order)
    change()
  }
  /** The stream brings only what the user has not acknowledged yet, so the rest is read. */
  async function read (): Promise<void> {
    const turn = ++reading
    clearTimeout(timer)
    const response = await client.fetch(`v1/orders?limit=${NEWEST}`).catch(() => undefined)
    const answer = response?.ok === true ? await response.json() as { orders: Order[] } : undefined
    if (turn !== reading) return
    if (answer === undefined) timer = setTimeout(() => { void read() }, AGAIN_MS)
    for (const order of answer?.orders ?? []) {
      // The server has what an action sent, also where the stream said so before anybody listened.
      if (order.client_order_id !== undefined) pending.takeBack(order.client_order_id)
      put(order)
    }
  }
  const stop = pending.listeners.add(change)
  const subscription = client.subscribe('orders')
  subscription.listen(event => {
    if (event.type === 'reset') {
      // Orders may have gone back, or be those of another user.
      orders.clear()
      change()
      void read()
    } else {
      pending.confirm(event.data)
      put(event.data)
    }
  })
  void subscription.result.then(({ granted }) => { if (granted.length > 0) void read() })
  return {
    read () {
      if (isChanged) value = pending.show([...orders.values()]).sort(newestFirst)
      isChanged = false
      return value
    },
    close () {
      reading++
      clearTimeout(timer)
      stop()
      subscription.close()
    }
  }
}

/**
 * Returns the orders of the token's user, newest first: the newest hundred, and all that change meanwhile. An
 * order that an action has sent is there at once, and goes if the server refuses it.
 */
export const useOrders = (): readonly Order[] => useStore('orders', openOrders, NO_ORDERS)
