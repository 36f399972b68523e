import { CompiledQuery, type Kysely } from 'kysely'
import { type AnyRow, type TableDefinition, type TableName, tables, type Tables } from './tables.js'

/** Where both kinds of databases differ: how the rows of a JSON text become those of a SELECT. */
export interface JsonRows {
  readonly types: Readonly<Record<'text' | 'integer', string>>
  /** @param columns with their types @returns what stands behind FROM, with the rows in `$1`, called `r` */
  from (columns: ReadonlyArray<readonly [name: string, type: string]>): string
}

/**
 * Statements that write rows of a table by key, where those in the database are older. The rows are one JSON
 * text: with a parameter for each value, DuckDB takes four times the CPU (`npm run bench -- store`).
 */
export function upsert (writer: Kysely<Tables>, json: JsonRows): WriteRows {
  const entries = Object.entries(tables).map(([name, table]) => [name, statement(name, table, json)] as const)
  const statements = new Map<string, string>(entries)
  return async (table, rows) => {
    await writer.executeQuery(CompiledQuery.raw(statements.get(table)!, [JSON.stringify(rows)]))
  }
}

type WriteRows = (table: TableName, rows: readonly AnyRow[]) => Promise<void>

const quoted = (name: string): string => `"${name}"`

function statement (name: string, table: TableDefinition, json: JsonRows): string {
  const { columns, key, version } = table
  const changed = Object.keys(columns).filter(column => !key.includes(column)).map(quoted)
  const versionOf = (row: string): string => (
    `(${version.map(column => `${row}.${quoted(column)}`).join(', ')})`)
  return [
    insertion(name, columns, json),
    `on conflict (${key.map(quoted).join(', ')})`,
    `do update set ${changed.map(column => `${column} = excluded.${column}`).join(', ')}`,
    `where ${versionOf('excluded')} > ${versionOf(quoted(name))}`
  ].join(' ')
}

/** A statement that inserts the rows of a JSON text, its only parameter. */
export function insertion (
  name: string, columns: TableDefinition['columns'], { types, from }: JsonRows
): string {
  const typed = Object.entries(columns).map(([column, type]) => (
    [quoted(column), types[type.replace('?', '') as keyof typeof types]] as const))
  const names = typed.map(([column]) => column)
  return `insert into ${quoted(name)} (${names.join(', ')}) ` +
    `select ${names.map(column => `r.${column}`).join(', ')} from ${from(typed)}`
}
