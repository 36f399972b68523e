import { CompiledQuery, type Kysely } from 'kysely'
import { type AnyRow, type TableDefinition, type TableName, tables, type Tables } from './tables.js'

/** Where both kinds of databases differ: how the rows of a JSON text become those of a SELECT. */
export interface JsonRows {
  readonly types: Readonly<Record<'text' | 'integer', string>>
  /** @param columns with their types @returns what stands behind FROM, with the rows in `$1`, called `r` */
  from (columns: ReadonlyArray<readonly [name: string, type: string]>): string
}

/**
 * Statements that write rows of a table by key, where those in the database are older. The rows are one JSON text: one parameter for each
 * value costs the event loop 15 times as much (`npm run bench -- store`), and DuckDB writes a third of the rows.
 */
export function upsert (writer: Kysely<Tables>, json: JsonRows): (table: TableName, rows: readonly AnyRow[]) => Promise<void> {
  const statements = new Map(Object.entries(tables).map(([name, definition]) => [name, statement(name, definition, json)]))
  return async (table, rows) => { await writer.executeQuery(CompiledQuery.raw(statements.get(table)!, [JSON.stringify(rows)])) }
}

function statement (name: string, { columns, key, version }: TableDefinition, { types, from }: JsonRows): string {
  const quoted = (column: string): string => `"${column}"`
  const all = Object.entries(columns).map(([column, type]) => [quoted(column), types[type.replace('?', '') as 'text' | 'integer']] as const)
  const names = all.map(([column]) => column)
  const changed = Object.keys(columns).filter(column => !key.includes(column)).map(quoted)
  const versionOf = (row: string): string => `(${version.map(column => `${row}.${quoted(column)}`).join(', ')})`
  return `insert into ${quoted(name)} (${names.join(', ')}) select ${names.map(column => `r.${column}`).join(', ')} from ${from(all)} ` +
    `on conflict (${key.map(quoted).join(', ')}) do update set ${changed.map(column => `${column} = excluded.${column}`).join(', ')} ` +
    `where ${versionOf('excluded')} > ${versionOf(quoted(name))}`
}
