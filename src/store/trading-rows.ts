import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely'
import type { Store } from './store.js'
import type { LostMessages, Row, Tables } from './tables.js'

/** Queries of the tables of trading. All reject while the database is away. */

type Reads = Pick<Store, 'query'>

export type TradingPosition = Row<'trading_positions'>
export type OrderRow = Row<'orders'>
export type FillRow = Row<'fills'>

/** A place among a user's orders, which are newest first. */
export type OrderPlace = Pick<OrderRow, 'created_at' | 'order_id'>
/** A place among a user's fills, which are newest first. */
export type FillPlace = Pick<FillRow, 'time' | 'sequence' | 'exec_id'>

interface UsersRows {
  readonly user: string
  readonly symbol?: string | undefined
  /** Rows of these messages are left out. */
  readonly lost: readonly LostMessages[]
}

export interface OrderFilter extends UsersRows {
  /** Absent: all. */
  readonly statuses?: readonly string[] | undefined
}

export interface FillFilter extends UsersRows {
  /** In milliseconds since 1970: not before `from`, and before `to`. */
  readonly from?: number | undefined
  readonly to?: number | undefined
}

/** Returns up to where the tables have the messages of a shard; undefined if they never had any. */
export async function readTradingPosition (
  { query }: Reads, shard: number
): Promise<TradingPosition | undefined> {
  return await query.selectFrom('trading_positions').selectAll().where('shard', '=', shard)
    .executeTakeFirst()
}

/** Returns the newest timestamp of all rows; undefined if there are none. */
export async function newestTradingTimestamp ({ query }: Reads): Promise<number | undefined> {
  const tables = ['orders', 'fills', 'accounts', 'strategies'] as const
  const newest = await Promise.all(tables.map(async table => {
    const row = await query.selectFrom(table).select(({ fn }) => fn.max('timestamp').as('timestamp'))
      .executeTakeFirst()
    return (row?.timestamp as number | null | undefined) ?? undefined
  }))
  const known = newest.filter(timestamp => timestamp !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

/** Reads orders of a user, newest first: `limit` of them behind a place. */
export async function readOrders (
  { query }: Reads,
  { user, symbol, statuses, lost }: OrderFilter,
  after: OrderPlace | undefined,
  limit: number
): Promise<readonly OrderRow[]> {
  let orders = query.selectFrom('orders').selectAll().where('user_id', '=', user)
  if (symbol !== undefined) orders = orders.where('symbol', '=', symbol)
  if (statuses !== undefined) orders = orders.where('status', 'in', statuses)
  if (after !== undefined) {
    orders = orders.where(({ eb, and, or }) => or([
      eb('created_at', '<', after.created_at),
      and([eb('created_at', '=', after.created_at), eb('order_id', '<', after.order_id)])
    ]))
  }
  return await orders.where(isKept(lost))
    .orderBy('created_at', 'desc').orderBy('order_id', 'desc').limit(limit).execute()
}

/** Returns those of a user's orders that have these ids, and are in the table. */
export async function findOrders (
  { query }: Reads, user: string, ids: readonly string[], lost: readonly LostMessages[]
): Promise<readonly OrderRow[]> {
  if (ids.length === 0) return []
  return await query.selectFrom('orders').selectAll()
    .where('user_id', '=', user).where('order_id', 'in', ids).where(isKept(lost)).execute()
}

/** Reads fills of a user, newest first: `limit` of them behind a place. */
export async function readFills (
  { query }: Reads,
  { user, symbol, from, to, lost }: FillFilter,
  after: FillPlace | undefined,
  limit: number
): Promise<readonly FillRow[]> {
  let fills = query.selectFrom('fills').selectAll().where('user_id', '=', user)
  if (symbol !== undefined) fills = fills.where('symbol', '=', symbol)
  if (from !== undefined) fills = fills.where('time', '>=', from)
  if (to !== undefined) fills = fills.where('time', '<', to)
  if (after !== undefined) {
    const { time, sequence, exec_id: id } = after
    fills = fills.where(({ eb, and, or }) => or([
      eb('time', '<', time),
      and([eb('time', '=', time), eb('sequence', '<', sequence)]),
      and([eb('time', '=', time), eb('sequence', '=', sequence), eb('exec_id', '<', id)])
    ]))
  }
  return await fills.where(isKept(lost))
    .orderBy('time', 'desc').orderBy('sequence', 'desc').orderBy('exec_id', 'desc').limit(limit).execute()
}

/** See `deleteLost` of store.ts. */
export async function deleteLost (writer: Kysely<Tables>, lost: readonly LostMessages[]): Promise<void> {
  for (const { epoch, from } of lost) {
    for (const table of ['orders', 'fills'] as const) {
      await writer.deleteFrom(table).where('epoch', '=', epoch).where('log_offset', '>=', from).execute()
    }
  }
}

/** Whether a row is of none of the messages that the log has lost. */
function isKept (lost: readonly LostMessages[]): RawBuilder<SqlBool> {
  const conditions = lost.map(({ epoch, from }) => sql`not (epoch = ${epoch} and log_offset >= ${from})`)
  return sql<SqlBool>`${sql.join([sql`true`, ...conditions], sql` and `)}`
}
