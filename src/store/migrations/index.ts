import type { Migration } from 'kysely'
import * as states from './0001-states.js'
import * as recording from './0002-recording.js'
import * as trading from './0003-trading.js'
import * as monitor from './0004-monitor.js'

/** By their names. */
export type Migrations = Readonly<Record<string, Migration>>

/**
 * All migrations, in the order of their names. One that was released is never changed. Each works on DuckDB
 * and on PostgreSQL, and makes no use of tables.ts, which goes on changing.
 */
export const migrations: Migrations = {
  '0001-states': states,
  '0002-recording': recording,
  '0003-trading': trading,
  '0004-monitor': monitor
}
