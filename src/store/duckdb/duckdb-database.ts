import { Kysely } from 'kysely'
import { type Database, type DatabaseOptions, STATEMENT_MS } from '../database.js'
import { migrate } from '../migrate.js'
import { migrations } from '../migrations/index.js'
import type { Tables } from '../tables.js'
import { type JsonRows, upsert } from '../upsert.js'
import { type DialectLimits, DuckDBDialect } from './dialect.js'
import { DuckDBFile } from './file.js'

const READERS = 2
const MIGRATION_MS = 3_600_000

const IS_REFUSAL = /^(Constraint|Conversion|Out of Range) Error/

const json: JsonRows = {
  types: { text: 'VARCHAR', integer: 'BIGINT' },
  from (columns) {
    const structure = columns.map(([name, type]) => `${name}: "${type}"`).join(', ')
    return `(select unnest(from_json($1, '[{${structure}}]')) as r)`
  }
}

/**
 * A DuckDB in a file of this process.
 * @throws ConfigError that says which file, and what to do
 */
export async function openDuckDB (path: string, options: DatabaseOptions = {}): Promise<Database> {
  const { schema = migrations, statementMs = STATEMENT_MS } = options
  const open = <Schema>(limits: DialectLimits): Kysely<Schema> => (
    new Kysely({ dialect: new DuckDBDialect(file, limits) }))
  const file = await DuckDBFile.open(path)
  try {
    await migrate(open({ atOnce: 1, statementMs: MIGRATION_MS }), schema, path)
  } catch (error) {
    await file.close()
    throw error
  }
  const writer = open<Tables>({ atOnce: 1, statementMs })
  return {
    reader: open<Tables>({ atOnce: READERS, statementMs }),
    json,
    rowId: 'rowid',
    writer,
    write: upsert(writer, json),
    isRefusal: error => error instanceof Error && IS_REFUSAL.test(error.message),
    close: () => file.close()
  }
}
