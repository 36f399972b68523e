import { ConfigError } from '../config.js'
import { Replay } from './replay/replay.js'
import { Simulated } from './simulated/simulated.js'
import type { Source } from './source.js'

const KINDS = 'simulated, replay:<file>[?speed=N|max&loop=true&start=manual], none'
const LATER = ['coinbase', 'kraken', 'binance']
const MAX_SPEED = 10_000

/** Kinds of sources by the name before the colon: a new one is a folder here and a line in this table. */
const factories: Readonly<Record<string, (rest: string | undefined) => Source>> = {
  simulated: rest => {
    if (rest !== undefined) throw new ConfigError(`SOURCES: simulated takes nothing behind it, but has '${rest}'`)
    return new Simulated()
  },
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
    const [, kind = '', rest] = /^([^:]*)(?::(.*))?$/.exec(name) ?? []
    if (LATER.includes(kind)) throw new ConfigError(`SOURCES: ${kind} is not available yet; these are: ${KINDS}`)
    const make = Object.hasOwn(factories, kind) ? factories[kind] : undefined
    if (make === undefined) throw new ConfigError(`SOURCES: '${name}' is not a source; these are: ${KINDS}`)
    return make(rest)
  })
  const doubled = sources.find(({ name }, index) => sources.findIndex(other => other.name === name) !== index)
  if (doubled !== undefined) throw new ConfigError(`SOURCES: ${doubled.name} is given twice`)
  return sources
}

function parseReplay (rest: string | undefined): Source {
  const [file = '', query = ''] = (rest ?? '').split('?', 2)
  if (file === '') throw new ConfigError('SOURCES: replay needs a file: replay:<file>')
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (!['speed', 'loop', 'start'].includes(name)) throw new ConfigError(`SOURCES: replay has no option '${name}'; its options are speed, loop and start`)
    if (parameters.getAll(name).length > 1) throw new ConfigError(`SOURCES: replay has ${name} twice`)
  }
  return new Replay({
    file,
    speed: parseSpeed(parameters.get('speed') ?? '1'),
    loop: parseChoice('loop', parameters.get('loop') ?? 'false', ['true', 'false']) === 'true',
    manual: parseChoice('start', parameters.get('start') ?? 'auto', ['manual', 'auto']) === 'manual'
  })
}

function parseSpeed (text: string): number | 'max' {
  if (text === 'max') return text
  const speed = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (!(speed > 0 && speed <= MAX_SPEED)) throw new ConfigError(`SOURCES: replay's speed is a number above 0, at most ${MAX_SPEED}, or max; it is '${text}'`)
  return speed
}

function parseChoice (name: string, text: string, choices: readonly string[]): string {
  if (!choices.includes(text)) throw new ConfigError(`SOURCES: replay's ${name} is ${choices.join(' or ')}; it is '${text}'`)
  return text
}
