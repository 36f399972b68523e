import type { Migration } from 'kysely'
import * as states from './0001-states.js'

/**
 * All migrations, in the order of their names. One that was released is never changed. Each works on DuckDB and on PostgreSQL, and makes
 * no use of tables.ts, which goes on changing.
 */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-states': states
}
