import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'

/**
 * Reads numbers and texts from the command line, over their defaults.
 * @template {Record<string, number | string>} Defaults
 * @param {Defaults} defaults
 * @returns {Defaults}
 */
export function options (defaults) {
  const names = Object.keys(defaults)
  if (process.argv.includes('--help')) {
    const given = names.map(name => `  --${name} ${defaults[name]}`.trimEnd())
    console.log(`options, with their defaults; bench/README.md explains them:\n${given.join('\n')}`)
    process.exit(0)
  }
  let values
  try {
    const texts = names.map(name => [name, { type: /** @type {const} */ ('string') }])
    values = parseArgs({ options: Object.fromEntries(texts) }).values
  } catch (error) {
    const message = error instanceof Error ? error.message.split('. ')[0] : error
    console.error(`${message}; the options are: ${names.map(name => `--${name}`).join(', ')}`)
    process.exit(2)
  }
  return /** @type {Defaults} */ (Object.fromEntries(Object.entries(defaults).map(([name, value]) => {
    const given = values[name] ?? value
    return [name, typeof value === 'number' ? Number(given) : given]
  })))
}

/**
 * @param {readonly number[]} values
 * @param {number} percent
 */
export function percentile (values, percent) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * percent / 100))]
}

/**
 * Prints a table, and writes it with the machine and the commit to bench/results.
 * @param {string} name
 * @param {object} settings
 * @param {Record<string, string | number>} results
 */
export function report (name, settings, results) {
  const width = Math.max(...Object.keys(results).map(({ length }) => length))
  for (const [what, value] of Object.entries(results)) console.log(`${what.padEnd(width)}  ${value}`)
  write(name, settings, results)
}

/**
 * Does the same for results with many columns: prints a line for each row, then the remarks.
 * @param {string} name
 * @param {object} settings
 * @param {ReadonlyArray<Record<string, string | number>>} rows all with the same columns
 * @param {readonly string[]} [remarks]
 */
export function reportTable (name, settings, rows, remarks = []) {
  const columns = Object.keys(rows[0] ?? {})
  const width = columns.map(column => {
    return Math.max(column.length, ...rows.map(row => String(row[column]).length))
  })
  /** @param {string | number} value @param {number | undefined} size */
  const cell = (value, size = 0) => {
    return typeof value === 'number' ? String(value).padStart(size) : value.padEnd(size)
  }
  for (const values of [columns, ...rows.map(row => columns.map(column => row[column]))]) {
    console.log(values.map((value, index) => cell(value, width[index])).join('  ').trimEnd())
  }
  for (const remark of remarks) console.log(remark)
  write(name, settings, { rows, remarks })
}

/**
 * Writes results with the machine and the commit to bench/results.
 * @param {string} name
 * @param {object} settings
 * @param {object} results
 */
export function write (name, settings, results) {
  const folder = new URL('results/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim()
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: process.platform
  }
  const written = { name, at: new Date().toISOString(), commit, machine, settings, results }
  writeFileSync(new URL(`${name}.json`, folder), JSON.stringify(written, null, 2) + '\n')
}
