import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Config, ConfigError } from '../config.js'
import { BufferedStore, type StoreOptions } from './buffered-store.js'
import { openDuckDB } from './duckdb/duckdb-database.js'
import type { Store } from './store.js'

/** The file of a server's store, in its DATA_DIR. */
const FILE = 'tickwire.duckdb'

export type StoreSettings = Pick<Config, 'DATABASE_URL' | 'DATA_DIR'>

export interface OpenStoreOptions extends StoreOptions {
  /** Whether other servers share the log: they must share the store, too. */
  readonly isShared: boolean
}

/**
 * Returns whether the store may have something already: it is a database, or its file is there. A server that
 * has never kept anything makes no file.
 */
export const mayHoldRows = ({ DATABASE_URL, DATA_DIR }: StoreSettings): boolean =>
  DATABASE_URL !== undefined || existsSync(join(DATA_DIR, FILE))

/**
 * The store that the settings ask for, with the schema of this program.
 * @throws ConfigError that says why it cannot be used, and what to do; it shows no password
 */
export async function openStore (settings: StoreSettings, options: OpenStoreOptions): Promise<Store> {
  const { DATABASE_URL, DATA_DIR } = settings
  if (DATABASE_URL !== undefined) {
    // What a server with a file never uses, it does not load.
    const { openPostgres } = await import('./postgres/postgres-database.js')
    return new BufferedStore(await openPostgres(DATABASE_URL), options)
  }
  if (options.isShared) {
    throw new ConfigError('DATABASE_URL is needed where several servers share a log: ' +
      'they keep what must last in one PostgreSQL, postgres://user:password@host:5432/database')
  }
  return new BufferedStore(await openDuckDB(join(DATA_DIR, FILE)), options)
}
