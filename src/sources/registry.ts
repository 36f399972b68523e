import { ConfigError } from '../config.js'
import { insteadOf } from '../nearest.js'
import { LIVE_OPTIONS, parseLive } from './live/parse.js'
import { Replay } from './replay/replay.js'
import type { HoursOption } from './simulated/market.js'
import { Simulated } from './simulated/simulated.js'
import type { Source } from './source.js'
import { parseLazy, parseNumber, parseOptions } from './source-options.js'
import { venues } from './venues/venues.js'

const KINDS = [
  'simulated[?seed=N&rate=N&hours=always|real|<speed>&lazy=true|<seconds>]',
  'replay:<file>[?speed=N|max&loop=true&start=manual&lazy=true|<seconds>&answers=<file>]',
  `<venue>:<symbol>+<symbol>…[?${LIVE_OPTIONS}]`,
  'none'
].join(', ')
const VENUES = venues.map(({ name }) => name)
const MAX_SPEED = 10_000
/** Quotes of one simulated instrument in a second. */
const MAX_RATE = 1000
/** At this speed of the simulated market's clock, a day takes 24 seconds. */
const MAX_HOURS_SPEED = 3600

/**
 * The kinds of sources by name: a new one is a folder here and a line in this table. `rest` is what follows
 * the name, and begins with the colon or question mark that ends the name; it may be empty.
 */
const factories: Readonly<Record<string, (rest: string) => Source>> = {
  simulated: parseSimulated,
  replay: parseReplay,
  ...Object.fromEntries(venues.map(venue => [venue.name, (rest: string) => parseLive(venue, rest)]))
}

/**
 * Makes the sources that `SOURCES` names.
 * @throws ConfigError that says what is wrong, and what is allowed
 */
export function parseSources (text: string): Source[] {
  const names = text.split(',').map(name => name.trim())
  if (names.includes('none')) {
    if (names.length > 1) {
      throw new ConfigError('SOURCES: none stands alone; leave it out, or the other sources')
    }
    return []
  }
  const sources = names.map(name => {
    const [, kind = '', rest = ''] = /^([^:?]*)(.*)$/.exec(name) ?? []
    const make = Object.hasOwn(factories, kind) ? factories[kind] : undefined
    if (make === undefined) {
      throw new ConfigError(`SOURCES: '${kind}' is not a source${insteadOf(kind, Object.keys(factories))}. ` +
        `Each is written so: ${KINDS}; the venues are ${VENUES.join(', ')}`)
    }
    return make(rest)
  })
  const doubled = sources.find(({ name }, index) => sources.findIndex(other => other.name === name) !== index)
  if (doubled !== undefined) {
    const hint = VENUES.includes(doubled.name) ? '; give it once, with its symbols joined by +' : ''
    throw new ConfigError(`SOURCES: ${doubled.name} is given twice${hint}`)
  }
  return sources
}

function parseSimulated (rest: string): Source {
  if (rest !== '' && !rest.startsWith('?')) {
    throw new ConfigError('SOURCES: simulated takes only options, such as simulated?rate=10; ' +
      `it has '${rest}'`)
  }
  const options = parseOptions('simulated', rest.slice(1), ['seed', 'rate', 'hours', 'lazy'])
  const seed = options.get('seed')
  const rate = options.get('rate')
  const hours = options.get('hours')
  return new Simulated({
    ...(seed === null ? {} : { seed: parseSeed(seed) }),
    ...(rate === null ? {} : { rate: parseRate(rate) }),
    ...(hours === null ? {} : { hours: parseHours(hours) }),
    lingerMs: parseLazy('simulated', options.get('lazy') ?? 'false')
  })
}

function parseSeed (text: string): number {
  if (!/^\d{1,15}$/.test(text)) {
    throw new ConfigError(`SOURCES: simulated's seed is a whole number of at most 15 digits; it is '${text}'`)
  }
  return Number(text)
}

function parseRate (text: string): number {
  const rate = parseNumber(text)
  if (!(rate > 0 && rate <= MAX_RATE)) {
    throw new ConfigError("SOURCES: simulated's rate, quotes of an instrument in a second, " +
      `is a number above 0, at most ${MAX_RATE}; it is '${text}'`)
  }
  return rate
}

function parseHours (text: string): HoursOption {
  if (text === 'always' || text === 'real') return text
  const speed = parseNumber(text)
  if (!(speed >= 1 && speed <= MAX_HOURS_SPEED)) {
    throw new ConfigError("SOURCES: simulated's hours are always, real, or how many times as fast as ours " +
      `its clock runs, a number from 1 to ${MAX_HOURS_SPEED}; they are '${text}'`)
  }
  return speed
}

function parseReplay (rest: string): Source {
  const [, file = '', query = ''] = /^:([^?]*)\??(.*)$/.exec(rest) ?? []
  if (file === '') throw new ConfigError('SOURCES: replay needs a file: replay:<file>')
  const parameters = parseOptions('replay', query, ['speed', 'loop', 'start', 'lazy', 'answers'])
  return new Replay({
    file,
    answers: parameters.get('answers') ?? undefined,
    speed: parseSpeed(parameters.get('speed') ?? '1'),
    loop: parseChoice('loop', parameters.get('loop') ?? 'false', ['true', 'false']) === 'true',
    manual: parseChoice('start', parameters.get('start') ?? 'auto', ['manual', 'auto']) === 'manual',
    lingerMs: parseLazy('replay', parameters.get('lazy') ?? 'false')
  })
}

function parseSpeed (text: string): number | 'max' {
  if (text === 'max') return text
  const speed = parseNumber(text)
  if (!(speed > 0 && speed <= MAX_SPEED)) {
    throw new ConfigError(`SOURCES: replay's speed is a number above 0, at most ${MAX_SPEED}, or max; ` +
      `it is '${text}'`)
  }
  return speed
}

function parseChoice (name: string, text: string, choices: readonly string[]): string {
  if (!choices.includes(text)) {
    throw new ConfigError(`SOURCES: replay's ${name} is ${choices.join(' or ')}; it is '${text}'`)
  }
  return text
}
