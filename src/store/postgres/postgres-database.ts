import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { ConfigError } from '../../config.js'
import { type Database, type DatabaseOptions, STATEMENT_MS } from '../database.js'
import { migrate } from '../migrate.js'
import { migrations } from '../migrations/index.js'
import { recordingTables, tableNames, type Tables } from '../tables.js'
import { type JsonRows, upsert } from '../upsert.js'
import { Pool } from './pool.js'
import { wordsOf } from '../../errors.js'

const READERS = 3

/**
 * By the first two digits of SQLSTATE: data exceptions, broken constraints, too large for an index,
 * exceptions of triggers.
 */
const REFUSALS: readonly string[] = ['22', '23', '54', 'P0']

const json: JsonRows = {
  types: { text: 'text', integer: 'bigint' },
  from (columns) {
    return `json_to_recordset($1::json) as r(${columns.map(([name, type]) => `${name} ${type}`).join(', ')})`
  }
}

function codeOf (error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function isRefusal (error: unknown): boolean {
  return error instanceof pg.DatabaseError && REFUSALS.includes(error.code?.slice(0, 2) ?? '')
}

/**
 * A database of a PostgreSQL, which several servers may share.
 * @param url may hold a password, which no message shows
 * @throws ConfigError that says where, and what to do
 */
export async function openPostgres (url: string, options: DatabaseOptions = {}): Promise<Database> {
  const { schema = migrations, statementMs = STATEMENT_MS } = options
  const where = addressOf(url)
  const open = <Schema>(connections: number, statementMs?: number): Kysely<Schema> => {
    const pool = new Pool({ url, connections, statementMs, isHarmless: isRefusal })
    return new Kysely({ dialect: new PostgresDialect({ pool }) })
  }
  // A migration takes as long as it takes.
  const setup = open<unknown>(1)
  try {
    await migrate(setup, schema, where.text)
    await checkRights(setup, where)
  } catch (error) {
    throw openError(error, where)
  } finally {
    await setup.destroy()
  }
  const [reader, writer] = [open<Tables>(READERS, statementMs), open<Tables>(1, statementMs)]
  return {
    reader,
    json,
    rowId: 'ctid',
    writer,
    write: upsert(writer, json),
    isRefusal,
    async close () {
      await Promise.all([reader.destroy(), writer.destroy()])
    }
  }
}

interface DatabaseAddress {
  /** Names the database in messages, without the password. */
  readonly text: string
  readonly database: string
  readonly user: string
}

function addressOf (url: string): DatabaseAddress {
  try {
    const { host, port, database = '', user = '' } = new pg.Client({ connectionString: url })
    const server = host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`
    return { text: `the PostgreSQL at ${server}, database ${database}`, database, user }
  } catch {
    throw new ConfigError('DATABASE_URL is not an address: postgres://user:password@host:5432/database')
  }
}

interface Rights {
  readonly table: string
  readonly may: boolean
  readonly encoding: string
}

/** Refuses at the start what would otherwise fail with the first row. */
async function checkRights (db: Kysely<unknown>, { text, user }: DatabaseAddress): Promise<void> {
  for (const name of [...tableNames, ...Object.keys(recordingTables)]) {
    const { rows: [rights] } = await sql<Rights>`select
      has_table_privilege(${name}, 'select') and has_table_privilege(${name}, 'insert') and
      has_table_privilege(${name}, 'update') and has_table_privilege(${name}, 'delete') as may,
      current_setting('server_encoding') as encoding`.execute(db)
    if (rights?.encoding !== 'UTF8') {
      throw new ConfigError(`${text} has the encoding ${rights?.encoding}: make one with the encoding UTF8`)
    }
    if (!rights.may) {
      throw new ConfigError(`${text}: the user ${user} may not read and write the table ${name}: ` +
        `GRANT SELECT, INSERT, UPDATE, DELETE ON ${name} TO "${user}"`)
    }
  }
}

/** What to do about a database that cannot be used; errors that say so already stay as they are. */
function openError (error: unknown, { text, database, user }: DatabaseAddress): unknown {
  const cause = error instanceof ConfigError ? error.cause : error
  const message = wordsOf(error)
  const code = codeOf(cause)
  if (code === '28P01' || code === '28000') {
    return new ConfigError(`${text} does not let the user ${user} in: ${message}`)
  }
  if (code === '3D000') {
    return new ConfigError(`${text}: there is no such database; make it with: createdb ${database}`)
  }
  if (code === '42501') {
    return new ConfigError(`${text}: the user ${user} may not make or read its tables (${message}): ` +
      `GRANT CREATE, USAGE ON SCHEMA public TO "${user}", or let it own the database`)
  }
  if (error instanceof ConfigError) return error
  const why = message === '' ? code ?? 'no answer' : message
  return new ConfigError(`${text} cannot be used: ${why}`, { cause: error })
}
