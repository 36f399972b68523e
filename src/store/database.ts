import type { Kysely } from 'kysely'
import type { Migrations } from './migrations/index.js'
import type { JsonRows } from './upsert.js'
import type { AnyRow, TableName, Tables } from './tables.js'

export interface DatabaseOptions {
  readonly schema?: Migrations
  /** The database ends a statement that takes longer, in milliseconds. */
  readonly statementMs?: number
}

/** Long enough for a batch of rows, and short enough for a caller whose database does not answer. */
export const STATEMENT_MS = 10_000

/**
 * What a store writes to: one database, of whichever kind, whose schema is this program's. Every statement
 * ends in bounded time.
 */
export interface Database {
  readonly reader: Kysely<Tables>
  /** How it reads rows from a JSON text. */
  readonly json: JsonRows
  /** The column that every table has, by which it finds a row at once. */
  readonly rowId: string
  /** For all else, with a connection of its own, so that no reader keeps it waiting. */
  readonly writer: Kysely<Tables>
  /**
   * Inserts rows of different keys, or replaces older ones, all or none. It may have succeeded although it
   * rejects: writing the rows again is harmless.
   */
  write(table: TableName, rows: readonly AnyRow[]): Promise<void>
  /** Whether `write` failed because of what a row holds. Any other failure may pass. */
  isRefusal(error: unknown): boolean
  /** Ends also what is under way. */
  close(): Promise<void>
}
