import { readFile } from 'node:fs/promises'
import { Value } from '@sinclair/typebox/value'
import { Bar } from '@tickwire/protocol'
import { parse } from 'csv-parse/sync'

/** A file of bars that cannot be used. */
export class BarsFileError extends Error {
  override readonly name = 'BarsFileError'
}

/** The columns that a table needs; any other that a bar has is read, too. */
const COLUMNS = ['start', 'open', 'high', 'low', 'close'] as const

/**
 * Reads bars from a file: JSON as `GET /v1/bars` answers and `tickwire export --format json` writes, or a
 * table with a column for each field (`.csv`). Bars that were forming are left out, and so are revisions.
 * @param defaults what a table may leave out
 * @returns the bars, oldest first
 * @throws BarsFileError
 */
export async function readBarsFile (
  file: string, defaults: Pick<Bar, 'symbol' | 'interval'>
): Promise<readonly Bar[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new BarsFileError(`${file} cannot be read: ${(error as Error).message}`)
  })
  const rows = file.endsWith('.csv') ? rowsOfTable(file, text) : rowsOfJson(file, text)
  const bars = new Map<string, Bar>()
  for (const [index, row] of rows.entries()) {
    const bar = { ...WITHOUT_TRADES, ...defaults, ...row }
    if (!Value.Check(Bar, bar)) {
      const fault = Value.Errors(Bar, bar).First()!
      throw new BarsFileError(`${file}: bar ${index + 1}: ${fault.path.slice(1) || 'it'}: ${fault.message}`)
    }
    if (bar.closed && !bars.has(bar.start)) bars.set(bar.start, bar)
  }
  if (bars.size === 0) throw new BarsFileError(`${file} has no closed bar`)
  return [...bars.values()].sort((a, b) => a.start < b.start ? -1 : 1)
}

/** What a table of other programs does not have, and what no backtest needs. */
const WITHOUT_TRADES = { volume: '0', vwap: '0', trades: 0, closed: true, through: 1 } as const

function rowsOfTable (file: string, text: string): object[] {
  let rows: Array<Record<string, string>>
  try {
    rows = parse(text, { columns: true, bom: true, skip_empty_lines: true, trim: true })
  } catch (error) {
    throw new BarsFileError(`${file} is no table: ${(error as Error).message}`)
  }
  const missing = COLUMNS.find(column => rows[0] !== undefined && !(column in rows[0]))
  if (missing !== undefined) {
    throw new BarsFileError(`${file} has no column ${missing}; a table of bars has ${COLUMNS.join(', ')}`)
  }
  return rows.map(row => Object.fromEntries(Object.entries(row)
    .filter(([field, value]) => value !== '' && field in Bar.properties)
    .map(([field, value]) => [field, valueOf(field, value)])))
}

function valueOf (field: string, value: string): unknown {
  if (field === 'closed' || field === 'partial') return value === 'true'
  return ['trades', 'revision', 'through'].includes(field) ? Number(value) : value
}

function rowsOfJson (file: string, text: string): object[] {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch (error) {
    throw new BarsFileError(`${file} is not JSON: ${(error as Error).message}; a table has the ending .csv`)
  }
  const rows = Array.isArray(read) ? read : (read as { bars?: unknown } | null)?.bars
  if (!Array.isArray(rows)) throw new BarsFileError(`${file} is neither an array of bars nor {"bars":[…]}`)
  return rows.map((row: { data?: object } | null) => row?.data ?? row ?? {})
}
