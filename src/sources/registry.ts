import { ConfigError } from '../config.js'
import { Replay } from './replay/replay.js'
import { DEFAULT_RATE, Simulated } from './simulated/simulated.js'
import type { Source } from './source.js'

const KINDS = 'simulated[?seed=N&rate=N&hours=always|real|N], replay:<file>[?speed=N|max&loop=true&start=manual], none'
const LATER = ['coinbase', 'kraken', 'binance']
const MAX_SPEED = 10_000
const MAX_RATE = 1000

/** What stands behind a kind: a subject behind a colon, options behind a question mark. */
interface Parts {
  readonly subject: string | undefined
  readonly options: URLSearchParams
}

/** Kinds of sources by their names: a new one is a folder here and a line in this table. */
const factories: Readonly<Record<string, (parts: Parts) => Source>> = {
  simulated: parseSimulated,
  replay: parseReplay
}

/**
 * The sources that `SOURCES` names.
 * @throws ConfigError that says what is wrong and what is allowed
 */
export function parseSources (text: string): Source[] {
  const names = text.split(',').map(name => name.trim())
  if (names.includes('none')) {
    if (names.length > 1) throw new ConfigError('SOURCES: none stands alone')
    return []
  }
  const sources = names.map(name => {
    const [, kind = '', subject, query = ''] = /^([^:?]*)(?::([^?]*))?(?:\?(.*))?$/.exec(name) ?? []
    if (LATER.includes(kind)) throw new ConfigError(`SOURCES: ${kind} is not available yet; these are: ${KINDS}`)
    const make = Object.hasOwn(factories, kind) ? factories[kind] : undefined
    if (make === undefined) throw new ConfigError(`SOURCES: '${name}' is not a source; these are: ${KINDS}`)
    return make({ subject, options: new URLSearchParams(query) })
  })
  const doubled = sources.find(({ name }, index) => sources.findIndex(other => other.name === name) !== index)
  if (doubled !== undefined) throw new ConfigError(`SOURCES: ${doubled.name} is given twice`)
  return sources
}

/** @throws ConfigError for an option that is unknown or given twice */
function checkOptions (kind: string, options: URLSearchParams, known: readonly string[]): void {
  for (const name of options.keys()) {
    if (!known.includes(name)) throw new ConfigError(`SOURCES: ${kind} has no option '${name}'; its options are ${known.join(', ')}`)
    if (options.getAll(name).length > 1) throw new ConfigError(`SOURCES: ${kind} has ${name} twice`)
  }
}

function parseSimulated ({ subject, options }: Parts): Source {
  if (subject !== undefined) throw new ConfigError(`SOURCES: simulated takes no ':${subject}'; its options stand behind a question mark: simulated?rate=10`)
  checkOptions('simulated', options, ['seed', 'rate', 'hours'])
  const hours = options.get('hours') ?? 'always'
  return new Simulated({
    seed: parseNumber("simulated's seed", options.get('seed') ?? '1', 2 ** 31),
    rate: parseNumber("simulated's rate", options.get('rate') ?? String(DEFAULT_RATE), MAX_RATE),
    hours: hours === 'always' || hours === 'real' ? hours : parseNumber("simulated's hours are always, real, or how many times as fast time runs:", hours, MAX_SPEED)
  })
}

function parseReplay ({ subject: file = '', options }: Parts): Source {
  if (file === '') throw new ConfigError('SOURCES: replay needs a file: replay:<file>')
  checkOptions('replay', options, ['speed', 'loop', 'start'])
  const speed = options.get('speed') ?? '1'
  return new Replay({
    file,
    speed: speed === 'max' ? speed : parseNumber("replay's speed, if not max,", speed, MAX_SPEED),
    loop: parseChoice('loop', options.get('loop') ?? 'false', ['true', 'false']) === 'true',
    manual: parseChoice('start', options.get('start') ?? 'auto', ['manual', 'auto']) === 'manual'
  })
}

function parseNumber (what: string, text: string, maximum: number): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (!(value > 0 && value <= maximum)) throw new ConfigError(`SOURCES: ${what} is a number above 0, at most ${maximum}; it is '${text}'`)
  return value
}

function parseChoice (name: string, text: string, choices: readonly string[]): string {
  if (!choices.includes(text)) throw new ConfigError(`SOURCES: replay's ${name} is ${choices.join(' or ')}; it is '${text}'`)
  return text
}
