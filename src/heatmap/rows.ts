import { compareDecimals, type Heatmap, type HeatmapKind, type HeatmapLevel } from '@tickwire/protocol'
import { plainDecimal } from '../book/decimals.js'
import type { QueryRow } from './heat-row.js'
import { withoutZeros } from './numbers.js'

/** What a query returned is not a heatmap; the message says which row and column, and what is needed. */
export class NonsenseRows extends Error {
  override readonly name = 'NonsenseRows'
}

const ISO_INSTANT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/

/**
 * Makes a heatmap of the rows of a query. Levels without any density are left out.
 * @param now when the query was asked, for rows that do not say how old they are
 * @returns undefined if there are no rows: nothing is known of the symbol
 * @throws NonsenseRows
 */
export function heatmapOf (
  symbol: string, kind: HeatmapKind, rows: readonly QueryRow[], now: Date
): Heatmap | undefined {
  const [first] = rows
  if (first === undefined) return undefined
  const levels = rows.map((row, index): HeatmapLevel => [
    decimalAt(row, 'price', index, false), decimalAt(row, 'a', index, true), decimalAt(row, 'b', index, true)
  ])
  levels.sort(([a], [b]) => compareDecimals(a, b))
  const doubled = levels.find(([price], index) =>
    index > 0 && compareDecimals(levels[index - 1]![0], price) === 0)
  if (doubled !== undefined) {
    throw new NonsenseRows(`the query returns the price ${doubled[0]} twice; group its rows by price`)
  }
  const step = first['price_step'] == null ? smallestStep(levels) : decimalAt(first, 'price_step', 0, false)
  const created = countAt(first, 'positions_created')
  const consumed = countAt(first, 'positions_consumed')
  return {
    symbol,
    kind,
    as_of: instantAt(first, now),
    price_step: step,
    current_price: decimalAt(first, 'current_price', 0, false),
    levels: levels.filter(([, a, b]) => !(isZero(a) && isZero(b))),
    ...(created === undefined ? {} : { positions_created: created }),
    ...(consumed === undefined ? {} : { positions_consumed: consumed })
  }
}

const isZero = (decimal: string): boolean => Number(decimal) === 0

/** Returns the smallest distance between two levels; for a single level its price. */
function smallestStep (levels: readonly HeatmapLevel[]): string {
  let smallest = levels[0]![0]
  let distance = Infinity
  for (let index = 1; index < levels.length; index++) {
    const here = Number(levels[index]![0]) - Number(levels[index - 1]![0])
    if (here >= distance) continue
    distance = here
    smallest = plainDecimal(String(Number(here.toPrecision(12)))) ?? smallest
  }
  return smallest
}

function decimalAt (row: QueryRow, column: string, index: number, mayBeZero: boolean): string {
  const value = row[column]
  const where = `row ${index + 1}`
  if (value === undefined) {
    const all = Object.keys(row).join(', ')
    throw new NonsenseRows(`the query returns no column '${column}', which a heatmap needs, but ${all}`)
  }
  const text = value === null ? undefined : plainDecimal(String(value))
  const isGood = text !== undefined && (mayBeZero ? Number(text) >= 0 : Number(text) > 0)
  if (!isGood) {
    const wanted = mayBeZero ? 'a number of 0 or more' : 'a number above 0'
    throw new NonsenseRows(`'${column}' of ${where} is ${shown(value)}; it must be ${wanted}`)
  }
  return withoutZeros(text.replace(/^-/, ''))
}

function countAt (row: QueryRow, column: string): number | undefined {
  const value = row[column]
  if (value == null) return undefined
  const count = Number(value)
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new NonsenseRows(`'${column}' is ${shown(value)}; it must be a whole number of 0 or more`)
  }
  return count
}

function instantAt (row: QueryRow, now: Date): string {
  const value = row['as_of']
  if (value == null) return now.toISOString()
  const text = String(value)
  const parts = ISO_INSTANT.exec(text)
  // A timestamp without a zone counts as UTC.
  const time = parts === null ? NaN : Date.parse(text.replace(' ', 'T') + (parts[1] === undefined ? 'Z' : ''))
  if (!(Math.abs(time) < MAX_TIME)) {
    throw new NonsenseRows(`'as_of' is ${shown(value)}; it must be a timestamp`)
  }
  return new Date(time).toISOString()
}

/** The end of the year 9999, in milliseconds. */
const MAX_TIME = 253_402_300_800_000

const shown = (value: string | number | null): string =>
  typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : String(value)
