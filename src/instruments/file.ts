import { readFile } from 'node:fs/promises'
import { decodeText, type Instrument } from '@tickwire/protocol'
import { ConfigError } from '../config.js'
import { instrumentFault } from './check.js'
import { readCsv } from './csv.js'
import { readJsonList } from './json-list.js'
import { type FileItem, Lines, MalformedFile } from './file-item.js'

/**
 * Reads the instruments of a file, by its ending: `.csv` or `.json`.
 * @param path as the operator wrote it; errors begin with it
 * @throws ConfigError that says file, line and column, and what was expected there
 */
export async function readInstruments (path: string): Promise<readonly Instrument[]> {
  const read = path.endsWith('.csv') ? readCsv : path.endsWith('.json') ? readJsonList : undefined
  if (read === undefined) throw new ConfigError(`INSTRUMENTS: ${path} must end in .csv or .json`)
  const text = await textOf(path)
  const lines = new Lines(text)
  try {
    return checked(read(text), lines)
  } catch (error) {
    if (!(error instanceof MalformedFile)) throw error
    const { offset, message } = error
    throw new ConfigError(`${path}:${lines.lineOf(offset)}:${lines.columnOf(offset)}: ${message}`)
  }
}

async function textOf (path: string): Promise<string> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new ConfigError(`INSTRUMENTS: ${path} cannot be read (${code})`)
  }
  try {
    return decodeText(bytes)
  } catch {
    throw new ConfigError(`INSTRUMENTS: ${path} is not UTF-8`)
  }
}

/** @throws MalformedFile at the first item that is no instrument, or whose symbol was there before */
function checked (items: readonly FileItem[], lines: Lines): readonly Instrument[] {
  const lineOf = new Map<string, number>()
  return items.map(({ value, offset, offsets }) => {
    const fault = instrumentFault(value)
    if (fault !== undefined) throw new MalformedFile(offsets.get(fault.field ?? '') ?? offset, fault.message)
    const instrument = value as Instrument
    const { symbol } = instrument
    const at = offsets.get('symbol')!
    const first = lineOf.get(symbol)
    if (first !== undefined) throw new MalformedFile(at, `the symbol '${symbol}' is on line ${first} already`)
    lineOf.set(symbol, lines.lineOf(at))
    return instrument
  })
}
