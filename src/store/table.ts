/** `text` and `integer` are never null; those with a question mark may be. */
export type ColumnType = 'text' | 'text?' | 'integer' | 'integer?'

export interface TypeOfColumn {
  text: string
  'text?': string | null
  integer: number
  'integer?': number | null
}

export interface TableDefinition<Column extends string = string> {
  readonly columns: Readonly<Record<Column, ColumnType>>
  /** The primary key. */
  readonly key: readonly Column[]
  /**
   * Integers that order the versions of a row, the weightiest first. A row replaces only a row of its key
   * that is older: what is written again, or comes late from another server, changes nothing.
   */
  readonly version: readonly Column[]
}

/** Checks that a definition names its own columns. */
export const table = <const Columns extends Readonly<Record<string, ColumnType>>>(
  definition: TableDefinition<keyof Columns & string> & { readonly columns: Columns }
): Omit<TableDefinition, 'columns'> & { readonly columns: Columns } => definition
