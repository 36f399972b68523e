import { instantMs, type OpenOrder, type Order, parseTopicKey } from '@tickwire/protocol'
import { type Entry, epochAt, type ShardHead, type Snapshot } from '../log/log.js'
import { isKept, keptText } from '../store/kept-text.js'
import type { Row } from '../store/tables.js'
import type { FillRow, OrderRow } from '../store/trading-rows.js'
import { averagePrice, money } from '../trading/money.js'

/** What a message of `orders` says, as the store has it. */
export interface OrderRows {
  readonly order: OrderRow
  /** Absent: the message is of no fill. */
  readonly fill?: FillRow
}

/** Returns an order with the texts that a database keeps. */
function keptTexts (order: Order): Order {
  const fields = Object.entries(order).map(([name, value]) => [name, keptText(value)])
  return Object.fromEntries(fields) as Order
}

const timeOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Math.floor(instantMs(text))

/**
 * @param entry of `orders`
 * @param head of its shard
 * @param floor the least timestamp that the rows may have, in milliseconds since 1970
 */
export function rowsOf (entry: Entry, head: ShardHead, floor = 0): OrderRows {
  const message = keptTexts(JSON.parse(entry.payload) as Order)
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

/** The tables that have what the log says of trading. */
export const WRITTEN = ['orders', 'fills', 'accounts', 'strategies'] as const
export type TradingRows = { readonly [Name in typeof WRITTEN[number]]: Array<Row<Name>> }

interface Strategies {
  readonly strategies: ReadonlyArray<Pick<Row<'strategies'>, 'strategy_id' | 'name' | 'status'>>
}

/**
 * Makes the rows of messages.
 * @param head of their shard
 * @param floor see {@link rowsOf}
 */
export function tradingRows (entries: readonly Entry[], head: ShardHead, floor: number): TradingRows {
  const rows: TradingRows = { orders: [], fills: [], accounts: [], strategies: [] }
  for (const entry of entries) {
    const { channel, user } = parseTopicKey(entry.topic)
    // Another text in the place of the user's name could be the name of somebody else.
    if (!isKept(user!)) continue
    if (channel === 'orders') {
      const { order, fill } = rowsOf(entry, head, floor)
      rows.orders.push(order)
      if (fill !== undefined) rows.fills.push(fill)
    } else if (entry.payload !== 'null') {
      const timestamp = Math.max(entry.timestamp, floor)
      const common = { user_id: user!, sequence: entry.sequence, timestamp }
      if (channel === 'accounts') rows.accounts.push({ ...common, data: entry.payload })
      else rows.strategies.push(...strategyRows(entry.payload, common))
    }
  }
  return rows
}

/** A message has all strategies of its user; one that the user has deleted is in none, and its row stays. */
function strategyRows (
  payload: string, common: Pick<Row<'strategies'>, 'user_id' | 'sequence' | 'timestamp'>
): Array<Row<'strategies'>> {
  return (JSON.parse(payload) as Strategies).strategies.map(strategy => {
    const { strategy_id: id, name, status } = strategy
    return { ...common, strategy_id: id, name, status, data: JSON.stringify(strategy) }
  })
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
    avg_price: money(open.filled_qty).eq(0)
      ? null
      : averagePrice(money(open.notional), money(open.filled_qty), open.decimals),
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
