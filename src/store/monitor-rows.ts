import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely'
import type { Database } from './database.js'
import { monitorTableNames } from './monitor-tables.js'
import type { Store } from './store.js'
import type { Row, Tables } from './tables.js'

/** Queries of the tables of the monitor. All reject while the database is away. */

type Reads = Pick<Store, 'query'>

export type ConnectionRow = Row<'websocket_connections'>
export type SubscriptionRow = Row<'websocket_subscriptions'>
export type MinuteRow = Row<'websocket_metrics'>

/** The channel of rows that count the whole. */
export const EVERY_CHANNEL = '*'

/** Old rows that one statement deletes. */
const FORGET_STEP = 20_000

export interface EndedFilter {
  readonly transport?: string | undefined
  readonly user?: string | undefined
  readonly address?: string | undefined
  /** The id or the name of a node. */
  readonly node?: string | undefined
}

export interface EndedOrder {
  readonly column: keyof ConnectionRow
  readonly descending: boolean
}

/**
 * Reads connections that have ended, or whose node is gone.
 * @param alive the nodes that are there; undefined if nobody knows
 */
export async function readEnded (
  { query }: Reads,
  { transport, user, address, node }: EndedFilter,
  alive: readonly string[] | undefined,
  { column, descending }: EndedOrder,
  limit: number
): Promise<readonly ConnectionRow[]> {
  let rows = query.selectFrom('websocket_connections').selectAll()
  rows = rows.where(({ eb, or, and }) => {
    const ended = eb('disconnected_at', 'is not', null)
    if (alive === undefined) return ended
    return or([ended, alive.length === 0 ? eb.lit(true) : and([eb('node', 'not in', alive)])])
  })
  if (transport !== undefined) rows = rows.where('transport', '=', transport)
  if (user !== undefined) rows = rows.where('user_id', '=', user)
  if (address !== undefined) rows = rows.where('address', '=', address)
  if (node !== undefined) rows = rows.where(isNode(node))
  return await rows.orderBy(column, order => (descending ? order.desc() : order.asc()).nullsLast())
    .orderBy('connection_id').limit(limit).execute()
}

/** Returns a connection with what it subscribed to; undefined if the store has none of this id. */
export async function readConnection (
  { query }: Reads, id: string
): Promise<{ readonly row: ConnectionRow, readonly subscriptions: readonly SubscriptionRow[] } | undefined> {
  const row = await query.selectFrom('websocket_connections').selectAll()
    .where('connection_id', '=', id).executeTakeFirst()
  if (row === undefined) return undefined
  const subscriptions = await query.selectFrom('websocket_subscriptions').selectAll()
    .where('connection_id', '=', id).orderBy('since').orderBy('subscription_id').execute()
  return { row, subscriptions }
}

export interface MinuteFilter {
  /** In milliseconds since 1970: not before `from`, and before `to`. */
  readonly from: number
  readonly to: number
  readonly channel?: string | undefined
  /** The id or the name of a node. */
  readonly node?: string | undefined
}

/** Reads what was sent by minute, newest first. */
export async function readMinutes (
  { query }: Reads, { from, to, channel, node }: MinuteFilter, limit: number
): Promise<readonly MinuteRow[]> {
  let rows = query.selectFrom('websocket_metrics').selectAll()
    .where('minute', '>=', from).where('minute', '<', to)
  if (channel !== undefined) rows = rows.where('channel', '=', channel)
  if (node !== undefined) rows = rows.where(isNode(node))
  return await rows.orderBy('minute', 'desc').orderBy('node', 'desc').orderBy('channel', 'desc')
    .limit(limit).execute()
}

/** The minutes of one node that the store has: see {@link readRuns}. */
export type MinuteMark = Pick<MinuteRow, 'node' | 'node_name' | 'started' | 'minute' | 'lost'>

/** Reads of which minutes the store has the figures of the whole, by node and minute. */
export async function readMarks (
  { query }: Reads, { from, to, node }: Omit<MinuteFilter, 'channel'>
): Promise<readonly MinuteMark[]> {
  let rows = query.selectFrom('websocket_metrics').select(['node', 'node_name', 'started', 'minute', 'lost'])
    .where('channel', '=', EVERY_CHANNEL).where('minute', '>=', from).where('minute', '<', to)
  if (node !== undefined) rows = rows.where(isNode(node))
  return await rows.orderBy('node').orderBy('minute').execute()
}

const isNode = (node: string): RawBuilder<SqlBool> =>
  sql<SqlBool>`(node = ${node} or node_name = ${node})`

/** By table, the time by which a row is old. */
const AGE: Readonly<Record<typeof monitorTableNames[number], string>> = {
  websocket_connections: 'updated_at',
  websocket_subscriptions: 'updated_at',
  websocket_metrics: 'minute',
  rate_limits: 'last_at'
}

/**
 * Deletes rows from before a time, in steps that the database ends in time. What was deleted stays deleted if
 * a later step fails.
 * @returns how many
 */
export async function forgetMonitored (
  { writer, rowId }: Pick<Database, 'writer' | 'rowId'>, before: number, stepRows = FORGET_STEP
): Promise<number> {
  let deleted = 0
  for (const table of monitorTableNames) deleted += await forget(writer, rowId, table, before, stepRows)
  return deleted
}

async function forget (
  writer: Kysely<Tables>,
  rowId: string,
  table: typeof monitorTableNames[number],
  before: number,
  stepRows: number
): Promise<number> {
  const row: RawBuilder<unknown> = sql`${sql.ref(rowId)}`
  const age = sql<number>`${sql.ref(AGE[table])}`
  const old = writer.selectFrom(table).select(row.as('row')).where(age, '<', before).limit(stepRows)
  for (let deleted = 0; ;) {
    const { numDeletedRows } = await writer.deleteFrom(table).where(row, 'in', old).executeTakeFirst()
    if (numDeletedRows === 0n) return deleted
    deleted += Number(numDeletedRows)
  }
}
