import { isKept } from '../kept-text.js'
import type { AnyRow, TableDefinition } from '../tables.js'

/** Why a row cannot be written to either kind of database; undefined if it can. */
export function rowFault ({ columns }: Pick<TableDefinition, 'columns'>, row: AnyRow): string | undefined {
  for (const column of Object.keys(columns)) {
    const value = row[column]
    if (typeof value === 'string' && !isKept(value)) {
      return `${column} holds NUL or half of a surrogate pair`
    }
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      return `${column} is ${value}, and no integer that a number holds exactly`
    }
  }
  return undefined
}
