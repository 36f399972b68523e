import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { Test } from 'tap'
import type { Config } from '../../src/config.js'
import { BufferedStore, type StoreOptions } from '../../src/store/buffered-store.js'
import type { Database, DatabaseOptions } from '../../src/store/database.js'
import { openDuckDB } from '../../src/store/duckdb/duckdb-database.js'
import { openPostgres } from '../../src/store/postgres/postgres-database.js'
import type { Store, StoreLog } from '../../src/store/store.js'
import type { Row } from '../../src/store/tables.js'
import { WRITER_LIMITS, type WriterLimits } from '../../src/store/writer/writer.js'
import { postgresProgram, PostgresServer, postgresUrl } from '../helpers/postgres.js'

/** Where one store is: a file, or a database. */
export interface StorePlace {
  /** As the server's configuration has it. */
  readonly settings: Pick<Config, 'DATABASE_URL' | 'DATA_DIR'>
  open (options?: DatabaseOptions): Promise<Database>
  remove (): Promise<void>
}

export interface StoreBackend {
  readonly name: 'DuckDB' | 'PostgreSQL'
  /** An empty place. */
  make (): Promise<StorePlace>
}

/** One server for all databases of a process. */
let server: Promise<PostgresServer> | undefined
let databases = 0

/** Where there is no program to start, a database in the PostgreSQL that runs already. */
async function createDatabase (): Promise<string> {
  if (postgresProgram !== undefined) {
    const started = await (server ??= PostgresServer.start())
    return started.url(await started.createDatabase())
  }
  const name = `test_${process.pid}_${++databases}`
  const client = new pg.Client({ connectionString: postgresUrl! })
  await client.connect()
  await client.query(`create database ${name}`)
  await client.end()
  const url = new URL(postgresUrl!)
  url.pathname = name
  return url.href
}

const postgres: StoreBackend = {
  name: 'PostgreSQL',
  async make () {
    const url = await createDatabase()
    return {
      settings: { DATABASE_URL: url, DATA_DIR: '/nowhere' },
      open: options => openPostgres(url, options),
      remove: async () => {}
    }
  }
}

/** Every backend there is: the suite walks this list. */
export const storeBackends: readonly StoreBackend[] = [
  {
    name: 'DuckDB',
    async make () {
      const folder = mkdtempSync(join(tmpdir(), 'tickwire-store-'))
      return {
        settings: { DATA_DIR: folder },
        open: options => openDuckDB(join(folder, 'tickwire.duckdb'), options),
        remove: async () => { rmSync(folder, { recursive: true, force: true }) }
      }
    }
  },
  ...(postgresProgram === undefined && postgresUrl === undefined ? [] : [postgres])
]

/** What a store has said. */
export interface Line {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, string | number>>
}

export interface OpenedStore {
  readonly store: Store
  readonly database: Database
  readonly lines: readonly Line[]
}

/**
 * Quick to write and to try again, in a period that outlasts every test; the bounds are those of a server.
 */
export const QUICK: WriterLimits = {
  ...WRITER_LIMITS, lingerMs: 1, retry: { leastMs: 1, mostMs: 20 }, sayEveryMs: 3_600_000
}

interface TestOptions extends Partial<StoreOptions> {
  /** Stands between the store and its database. */
  readonly wrap?: (database: Database) => Database
}

/** Opens a store, which is closed when the test ends. */
export async function openStore (
  t: Test, place: Pick<StorePlace, 'open'>, { wrap = database => database, ...options }: TestOptions = {}
): Promise<OpenedStore> {
  const lines: Line[] = []
  const log: StoreLog = (level, fields, message) => { lines.push({ level, fields, message }) }
  const database = wrap(await place.open())
  const store = new BufferedStore(database, { limits: QUICK, now: () => NOW, log, ...options })
  t.teardown(() => store.close())
  return { store, database, lines }
}

/** An empty place that is removed when the test ends. */
export async function makePlace (t: Test, backend: StoreBackend): Promise<StorePlace> {
  const place = await backend.make()
  t.teardown(() => place.remove())
  return place
}

/** When the rows of the tests are of. */
const NOW = 1_790_000_000_000

/** A row of `states` of an order: the version is its sequence and its time. */
export function state (name: string | number, version = 1, more: Partial<Row<'states'>> = {}): Row<'states'> {
  return {
    topic: `open-orders:${name}`,
    channel: 'open-orders',
    symbol: String(name),
    user_id: null,
    data: JSON.stringify({ version }),
    epoch: 1,
    sequence: version,
    timestamp: NOW + version,
    ...more
  }
}

export const states = (count: number, version = 1): Row<'states'>[] => (
  Array.from({ length: count }, (_, index) => state(index, version)))

/** All rows of `states`, as the database has them. */
export async function rowsOf ({ query }: Pick<Store, 'query'>): Promise<Row<'states'>[]> {
  return await query.selectFrom('states').selectAll().orderBy('topic').execute()
}

/** The order of rowsOf: that of code points. */
export const sorted = (rows: readonly Row<'states'>[]): Row<'states'>[] => (
  [...rows].sort((a, b) => Buffer.compare(Buffer.from(a.topic), Buffer.from(b.topic))))
