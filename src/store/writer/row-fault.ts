import type { AnyRow, TableDefinition } from '../tables.js'

/**
 * What one kind of database refuses and the other changes or takes: NUL, and half of a surrogate pair. JSON
 * text has neither.
 */
const NO_TEXT = /\0|\p{Surrogate}/u

/** Why a row cannot be written to either kind of database; undefined if it can. */
export function rowFault ({ columns }: Pick<TableDefinition, 'columns'>, row: AnyRow): string | undefined {
  for (const column of Object.keys(columns)) {
    const value = row[column]
    if (typeof value === 'string' && NO_TEXT.test(value)) {
      return `${column} holds NUL or half of a surrogate pair`
    }
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      return `${column} is ${value}, and no integer that a number holds exactly`
    }
  }
  return undefined
}
