import { topicKey } from '@tickwire/protocol'
import { isGood, type Log, type ShardHead } from '../log/log.js'
import type { LostMessages } from '../store/tables.js'
import type { FillRow, OrderRow, TradingPosition } from '../store/trading-rows.js'
import { rowsOf } from './rows.js'

/** Messages of one read, and between two turns: few milliseconds of work. */
const PAGE = 100

/** What the log has of a user's orders behind the store's position. */
export interface Retained {
  readonly head: ShardHead
  /** By id, each as its newest message says. */
  readonly orders: ReadonlyMap<string, OrderRow>
  readonly fills: ReadonlyMap<string, FillRow>
}

/**
 * Returns the offset behind which the log has what the store may not have: 0 if the log has lost what the
 * store has, or does not know the store's position.
 */
export const offsetBehind = (position: TradingPosition | undefined, head: ShardHead): number =>
  position !== undefined && isGood({ epoch: position.epoch, offset: position.log_offset }, head)
    ? position.log_offset
    : 0

/** Returns the messages that the log says it has lost. The store may have rows of them. */
export function lostMessages (head: ShardHead): LostMessages[] {
  return head.epochs.flatMap(({ epoch }, index) => {
    const later = head.epochs.slice(index + 1).map(({ start }) => start)
    return later.length === 0 ? [] : [{ epoch, from: Math.min(...later) }]
  })
}

/**
 * Reads what the log has of a user's orders.
 * @param position up to which they are not needed
 * @throws ProtocolError `log_unavailable`
 */
export async function readRetained (
  log: Log, user: string, position: TradingPosition | undefined, takeTurn: () => Promise<void> | undefined
): Promise<Retained> {
  const topic = topicKey({ channel: 'orders', user })
  for (;;) {
    const [head] = await log.head([log.shardOf(topic)])
    const orders = new Map<string, OrderRow>()
    const fills = new Map<string, FillRow>()
    for (let offset = offsetBehind(position, head!); ;) {
      await takeTurn()
      const { epoch, entries } = await log.read(topic, { offset }, PAGE)
      // The shard may have other messages now than those that were read.
      if (epoch !== head!.epoch) break
      for (const entry of entries) {
        const { order, fill } = rowsOf(entry, head!)
        orders.set(order.order_id, order)
        if (fill !== undefined) fills.set(fill.exec_id, fill)
      }
      if (entries.length < PAGE) return { head: head!, orders, fills }
      offset = entries.at(-1)!.offset
    }
  }
}
