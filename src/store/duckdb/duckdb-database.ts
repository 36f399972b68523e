import { Kysely } from 'kysely'
import { type Database, type DatabaseOptions, STATEMENT_MS } from '../database.js'
import { migrate } from '../migrate.js'
import { migrations } from '../migrations/index.js'
import type { Tables } from '../tables.js'
import { type JsonRows, upsert } from '../upsert.js'
import { DuckDBDialect } from './dialect.js'
import { DuckDBFile } from './file.js'

const READERS = 2
const MIGRATION_MS = 3_600_000

const IS_REFUSAL = /^(Constraint|Conversion|Out of Range) Error/

const json: JsonRows = {
  types: { text: 'VARCHAR', integer: 'BIGINT' },
  from: columns => `(select unnest(from_json($1, '[{${columns.map(([name, type]) => `${name}: "${type}"`).join(', ')}}]')) as r)`
}

/**
 * A DuckDB in a file of this process.
 * @throws ConfigError that says which file, and what to do
 */
export async function openDuckDB (path: string, { schema = migrations, statementMs = STATEMENT_MS }: DatabaseOptions = {}): Promise<Database> {
  const file = await DuckDBFile.open(path)
  try {
    await migrate(new Kysely<unknown>({ dialect: new DuckDBDialect(file, 1, MIGRATION_MS) }), schema, path)
  } catch (error) {
    await file.close()
    throw error
  }
  const connections = (atOnce: number): Kysely<Tables> => new Kysely<Tables>({ dialect: new DuckDBDialect(file, atOnce, statementMs) })
  const [reader, writer] = [connections(READERS), connections(1)]
  return {
    reader,
    writer,
    write: upsert(writer, json),
    isRefusal: error => error instanceof Error && IS_REFUSAL.test(error.message),
    close: () => file.close()
  }
}
