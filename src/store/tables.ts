import { monitorTables } from './monitor-tables.js'
import { type ColumnType, table, type TableDefinition, type TypeOfColumn } from './table.js'

export type { TableDefinition } from './table.js'

/**
 * The tables of a store: the one place that names their columns. Types of rows, queries and the statements
 * that write them come from here; migrations/ makes the tables, and a test compares the two. A new table is
 * an entry here and a migration.
 *
 * Integers are JavaScript's safe integers; points in time are such integers, in milliseconds since 1970. An
 * exact decimal is text: a number would round it.
 */
export const tables = {
  /**
   * The newest message of each topic of the compacted channels. `topic` is the topic's key, `data` its JSON
   * text. A row without `data` is of a topic that was removed: it stays, so that an older message which comes
   * late does not bring the topic back (`readStates` and `forgetRemoved` of states.ts). The log's time never
   * goes back, not in a new epoch either, whose numbers have no order.
   */
  states: table({
    columns: {
      topic: 'text',
      channel: 'text',
      symbol: 'text?',
      user_id: 'text?',
      data: 'text?',
      epoch: 'integer',
      sequence: 'integer',
      timestamp: 'integer'
    },
    key: ['topic'],
    version: ['timestamp', 'sequence']
  }),
  /**
   * Orders of users, each as its newest message says. `created_at` and `updated_at` are as the message has
   * them, or else the log's time. `epoch` and `log_offset` are the place of the message in the log.
   */
  orders: table({
    columns: {
      user_id: 'text',
      order_id: 'text',
      client_order_id: 'text?',
      symbol: 'text',
      side: 'text',
      order_type: 'text',
      time_in_force: 'text?',
      status: 'text',
      quantity: 'text',
      filled_qty: 'text',
      limit_price: 'text?',
      stop_price: 'text?',
      avg_price: 'text?',
      currency: 'text?',
      reason: 'text?',
      created_at: 'integer',
      updated_at: 'integer',
      epoch: 'integer',
      log_offset: 'integer',
      sequence: 'integer',
      timestamp: 'integer'
    },
    key: ['user_id', 'order_id'],
    version: ['timestamp', 'sequence']
  }),
  /** Fills of orders. `time` is when the fill was decided; the place in the log is as in `orders`. */
  fills: table({
    columns: {
      user_id: 'text',
      exec_id: 'text',
      order_id: 'text',
      client_order_id: 'text?',
      symbol: 'text',
      side: 'text',
      quantity: 'text',
      price: 'text',
      fee: 'text?',
      currency: 'text?',
      time: 'integer',
      epoch: 'integer',
      log_offset: 'integer',
      sequence: 'integer',
      timestamp: 'integer'
    },
    key: ['user_id', 'exec_id'],
    version: ['timestamp', 'sequence']
  }),
  /** What users own: `data` is the JSON text of the user's newest message of `accounts`. */
  accounts: table({
    columns: { user_id: 'text', data: 'text', sequence: 'integer', timestamp: 'integer' },
    key: ['user_id'],
    version: ['timestamp', 'sequence']
  }),
  /** Strategies of users, each as its newest message says. `data` is the strategy as JSON text. */
  strategies: table({
    columns: {
      strategy_id: 'text',
      user_id: 'text',
      name: 'text',
      status: 'text',
      data: 'text',
      sequence: 'integer',
      timestamp: 'integer'
    },
    key: ['strategy_id'],
    version: ['timestamp', 'sequence']
  }),
  /**
   * By shard, up to which message of the log the tables of trading have everything. It is written once they
   * have it. `timestamp` is that of the message.
   */
  trading_positions: table({
    columns: { shard: 'integer', epoch: 'integer', log_offset: 'integer', timestamp: 'integer' },
    key: ['shard'],
    version: ['timestamp', 'log_offset']
  }),
  ...monitorTables
}

/**
 * The tables of the recording (recording.ts). Their rows are appended once, each batch together with the
 * position in the log up to which it was read; nothing replaces a row.
 */
export const recordingTables = {
  /**
   * Messages of the log. An era is a stretch without a break: in it, a topic's sequences and a shard's
   * offsets are unique and grow; a shard's first era is 1. `timestamp` is the log's time, which never goes
   * back; `time` is that of the data, or else the log's. `symbol` is empty for a channel without symbols.
   */
  recorded: {
    channel: 'text',
    symbol: 'text',
    time: 'integer',
    timestamp: 'integer',
    era: 'integer',
    sequence: 'integer',
    shard: 'integer',
    epoch: 'integer',
    log_offset: 'integer',
    snapshot: 'integer',
    data: 'text'
  },
  /**
   * By shard, how far the log was recorded: all up to `log_offset`. `catching_up` is 1 while there may be
   * rows beyond it. `timestamp` is the newest of the rows up to there, `floor` the least that the era may
   * have. `version` counts the batches, so that of two recorders only one goes on.
   */
  recorder_positions: {
    shard: 'integer',
    era: 'integer',
    epoch: 'integer',
    log_offset: 'integer',
    catching_up: 'integer',
    timestamp: 'integer',
    floor: 'integer',
    version: 'integer'
  }
} as const

export type TableName = keyof typeof tables
export const tableNames = Object.keys(tables) as readonly TableName[]

/** A row of a table, as it is written and read. */
export type Row<Name extends TableName> = RowOf<typeof tables[Name]['columns']>
type RowOf<Columns> = { readonly [Column in keyof Columns]: TypeOfColumn[Columns[Column] & ColumnType] }
/** A row of any table, where its columns do not matter. */
export type AnyRow = Readonly<Record<string, string | number | null>>
/** All tables, as queries are typed by them. */
export type Tables = { readonly [Name in TableName]: Row<Name> } &
  { readonly [Name in keyof typeof recordingTables]: RowOf<typeof recordingTables[Name]> }

/** A message of the log, as it is recorded. */
export type RecordedRow = Tables['recorded']
export type RecorderPosition = Tables['recorder_positions']

/** Tells rows of one table apart: equal for rows of the same key. */
export function keyOf ({ key }: TableDefinition, row: AnyRow): string {
  return key.length === 1 ? String(row[key[0]!]) : JSON.stringify(key.map(column => row[column]))
}

/** Whether a row would replace another one of its key. */
export function isNewer ({ version }: TableDefinition, row: AnyRow, than: AnyRow): boolean {
  for (const column of version) {
    const difference = Number(row[column]) - Number(than[column])
    if (difference !== 0) return difference > 0
  }
  return false
}

/** Messages that the log has lost: of an epoch, those at an offset or beyond. */
export interface LostMessages {
  readonly epoch: number
  readonly from: number
}
