import { CsvError, parse } from 'csv-parse/sync'
import { INSTRUMENT_FIELDS, unknownField } from './check.js'
import { type FileItem, MalformedFile } from './file-item.js'

interface Cell {
  readonly value: string
  readonly offset: number
}

const NO_QUOTE_WITHIN = 'a field with a quote in it stands in quotes, and the quote in it is written twice'
/** What is wrong with the field where the parser stops, by its code. */
const FAULTS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'the quote that begins this field is not closed',
  CSV_INVALID_CLOSING_QUOTE: NO_QUOTE_WITHIN,
  INVALID_OPENING_QUOTE: NO_QUOTE_WITHIN
}

/**
 * Reads a table of instruments (RFC 4180). Its first line names the columns, in any order; an empty cell is a
 * field that is absent.
 * @throws MalformedFile
 */
export function readCsv (text: string): readonly FileItem[] {
  const [header, ...rows] = readRows(text)
  if (header === undefined) {
    throw new MalformedFile(0, 'the first line must name the columns, symbol among them')
  }
  const columns = new Set<string>()
  for (const { value, offset } of header) {
    if (!INSTRUMENT_FIELDS.includes(value)) throw new MalformedFile(offset, unknownField(value).message)
    if (columns.has(value)) throw new MalformedFile(offset, `there is a column ${value} already`)
    columns.add(value)
  }
  if (!columns.has('symbol')) throw new MalformedFile(header[0]!.offset, 'there must be a column symbol')
  return rows.map(cells => {
    if (cells.length !== header.length) {
      const message = `the line has ${cells.length} fields, and the first line names ${header.length}`
      throw new MalformedFile(cells[Math.min(header.length, cells.length - 1)]!.offset, message)
    }
    const named = cells.map((cell, index) => [header[index]!.value, cell] as const)
    const present = named.filter(([, { value }]) => value !== '')
    return {
      value: Object.fromEntries(present.map(([name, { value }]) => [name, value])),
      offset: cells[0]!.offset,
      offsets: new Map(named.map(([name, { offset }]) => [name, offset]))
    }
  })
}

/** Returns the cells of each line that is not empty. The parser tells where each cell ends, in bytes. */
function readRows (text: string): readonly Cell[][] {
  const bytes = Buffer.from(text)
  const offsetOf = (byte: number): number => bytes.toString('utf8', 0, byte).length
  const rows: Cell[][] = []
  let end = 0
  const startAfter = (atRowStart: boolean): number => {
    if (!atRowStart) return end + 1
    let start = end
    while (bytes[start] === CARRIAGE_RETURN || bytes[start] === LINE_FEED) start++
    return start
  }
  let isRowStart = true
  let isQuoted = false
  try {
    parse(bytes, {
      relax_column_count: true,
      cast (value, { index, bytes: reached, quoting }) {
        const cell = { value, offset: startAfter(index === 0) }
        if (index === 0) rows.push([cell])
        else rows.at(-1)!.push(cell)
        end = reached
        isQuoted ||= quoting
        isRowStart = false
        return value
      },
      on_record (record: string[]) {
        if (rows.at(-1)!.length === 1 && rows.at(-1)![0]!.value === '' && !isQuoted) rows.pop()
        isQuoted = false
        isRowStart = true
        return record
      }
    })
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    // The field after the last that was read.
    throw new MalformedFile(offsetOf(startAfter(isRowStart)), FAULTS[error.code] ?? error.message)
  }
  return withTextOffsets(rows, bytes)
}

/** Returns rows whose offsets count characters of the text instead of bytes. */
function withTextOffsets (rows: readonly Cell[][], bytes: Buffer): readonly Cell[][] {
  let [byte, offset] = [0, 0]
  return rows.map(cells => cells.map(cell => {
    offset += bytes.toString('utf8', byte, cell.offset).length
    byte = cell.offset
    return { value: cell.value, offset }
  }))
}

const [LINE_FEED, CARRIAGE_RETURN] = [0x0a, 0x0d]
