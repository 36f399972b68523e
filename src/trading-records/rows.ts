import { instantMs, type OpenOrder, type Order, parseTopicKey } from '@tickwire/protocol'
import Big from 'big.js'
import { type Entry, epochAt, type ShardHead, type Snapshot } from '../log/log.js'
import type { FillRow, OrderRow } from '../store/trading-rows.js'

/** What a message of `orders` says, as the store has it. */
export interface OrderRows {
  readonly order: OrderRow
  /** Absent: the message is of no fill. */
  readonly fill?: FillRow
}

/** Decimals of an average price, which is rounded half to even. */
const AVERAGE_DECIMALS = 8

const timeOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Math.floor(instantMs(text))

/**
 * @param entry of `orders`
 * @param head of its shard
 * @param floor the least timestamp that the rows may have, in milliseconds since 1970
 */
export function rowsOf (entry: Entry, head: ShardHead, floor = 0): OrderRows {
  const message = JSON.parse(entry.payload) as Order
  const user = parseTopicKey(entry.topic).user!
  const place = {
    epoch: epochAt(entry.offset, head),
    log_offset: entry.offset,
    sequence: entry.sequence,
    timestamp: Math.max(entry.timestamp, floor)
  }
  const updatedAt = timeOf(message.updated_at) ?? entry.timestamp
  const common = {
    user_id: user,
    order_id: message.order_id,
    client_order_id: message.client_order_id ?? null,
    symbol: message.symbol,
    side: message.side,
    currency: message.currency ?? null,
    ...place
  }
  const order: OrderRow = {
    ...common,
    order_type: message.order_type,
    time_in_force: message.time_in_force ?? null,
    status: message.status,
    quantity: message.quantity,
    filled_qty: message.filled_qty,
    limit_price: message.limit_price ?? null,
    stop_price: message.stop_price ?? null,
    avg_price: message.avg_price ?? null,
    reason: message.reason ?? null,
    created_at: timeOf(message.created_at) ?? entry.timestamp,
    updated_at: updatedAt
  }
  const { exec_id: execId, last_qty: quantity, last_price: price, fee = null } = message
  if (execId === undefined || quantity === undefined || price === undefined) return { order }
  return { order, fill: { ...common, exec_id: execId, quantity, price, fee, time: updatedAt } }
}

/** Makes the row of an order of which the log and the store have nothing but that it is open. */
export function rowOfOpenOrder (open: OpenOrder, { sequence, timestamp, epoch }: Snapshot): OrderRow {
  return {
    user_id: open.user,
    order_id: open.order_id,
    client_order_id: open.client_order_id,
    symbol: open.symbol,
    side: open.side,
    order_type: open.order_type,
    time_in_force: open.time_in_force,
    status: open.status,
    quantity: open.quantity,
    filled_qty: open.filled_qty,
    limit_price: open.limit_price ?? null,
    stop_price: open.stop_price ?? null,
    avg_price: averagePrice(open),
    currency: open.currency,
    reason: null,
    created_at: timeOf(open.created_at)!,
    updated_at: timestamp,
    epoch,
    log_offset: 0,
    sequence,
    timestamp
  }
}

/** Has as many decimals as the prices of the fills, and up to {@link AVERAGE_DECIMALS} if it needs more. */
function averagePrice ({ notional, filled_qty: filled, decimals }: OpenOrder): string | null {
  const quantity = new Big(filled)
  if (quantity.eq(0)) return null
  const ExactBig = Big()
  ExactBig.DP = AVERAGE_DECIMALS
  ExactBig.RM = Big.roundHalfEven
  const average = new ExactBig(notional).div(quantity)
  const needed = average.toFixed().split('.')[1]?.length ?? 0
  return average.toFixed(Math.min(AVERAGE_DECIMALS, Math.max(decimals, needed)))
}
