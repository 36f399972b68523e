import { ConfigError } from '../config.js'

/** How long a lazy source goes on after the last subscriber has gone. */
const LINGER_SECONDS = 30
const MAX_LINGER_SECONDS = 86_400

/**
 * Reads the options of a source.
 * @throws ConfigError for an option that the source does not take, or that is there twice
 */
export function parseOptions (source: string, query: string, names: readonly string[]): URLSearchParams {
  const options = new URLSearchParams(query)
  for (const name of options.keys()) {
    if (!names.includes(name)) {
      const all = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
      throw new ConfigError(`SOURCES: ${source} has no option '${name}'; its options are ${all}`)
    }
    if (options.getAll(name).length > 1) throw new ConfigError(`SOURCES: ${source} has ${name} twice`)
  }
  return options
}

/** Reads a number without a sign; NaN for any other text. */
export const parseNumber = (text: string): number => /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN

/** Reads `lazy`. @returns milliseconds; undefined for a source that always runs */
export function parseLazy (source: string, text: string): number | undefined {
  if (text === 'false') return undefined
  const seconds = text === 'true' ? LINGER_SECONDS : parseNumber(text)
  if (!(seconds > 0 && seconds <= MAX_LINGER_SECONDS)) {
    throw new ConfigError(`SOURCES: ${source}'s lazy is true, false, or for how many seconds it goes on ` +
      `without subscribers, a number above 0, at most ${MAX_LINGER_SECONDS}; it is '${text}'`)
  }
  return seconds * 1000
}
