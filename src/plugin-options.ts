import { ConfigError } from './config.js'
import { instrumentFault } from './instruments/check.js'
import { insteadOf } from './nearest.js'

/**
 * Checks the plugin's options at run time: JavaScript callers have no types, and a misspelt option must not
 * be ignored.
 */

type Given = Readonly<Record<string, unknown>>

const OPTIONS = [
  'prefix', 'channels', 'routes', 'sources', 'instruments', 'processors', 'strategies', 'broker', 'log',
  'coordination', 'adminLink', 'settings'
]
const SOURCE = ['instruments', 'run']
const TOPIC_PROCESSOR = ['outputOf', 'restore', 'apply', 'correct']
const JOURNAL_PROCESSOR = ['initial', 'decide', 'apply', 'project', 'correct']
const VIEW_PROCESSOR = ['outputsOf', 'initial', 'hear', 'apply', 'due']
const BROKER = ['submit', 'cancel', 'replace', 'events']
const LOG = [
  'shardOf', 'append', 'raise', 'read', 'tail', 'watch', 'recent', 'head', 'topics', 'snapshot', 'origins',
  'close'
]
const COORDINATION = ['put', 'take', 'count', 'ask', 'answer', 'close']

const isObject = (value: unknown): value is Given =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Checks all options but the contents of channels and settings, which have checks of their own.
 * @throws ConfigError that says which option is wrong, and what it may be
 */
export function checkPluginOptions (options: Given, routeGroups: readonly string[]): void {
  const unknown = Object.keys(options).find(name => !OPTIONS.includes(name))
  if (unknown !== undefined) {
    throw new ConfigError(`tickwire has no option '${unknown}'${insteadOf(unknown, OPTIONS)}`)
  }
  const {
    prefix, channels, routes, sources, instruments, processors, strategies, broker, log, coordination,
    adminLink, settings
  } = options
  if (prefix !== undefined && typeof prefix !== 'string') {
    throw new ConfigError(`prefix is a text like '/live', not ${String(prefix)}`)
  }
  if (channels !== undefined && !Array.isArray(channels)) {
    throw new ConfigError('channels is an array of what defineChannel returns')
  }
  if (settings !== undefined && !isObject(settings)) {
    throw new ConfigError('settings is an object: { AUTH: \'required\' }')
  }
  if (adminLink !== undefined && typeof adminLink !== 'function') {
    throw new ConfigError('adminLink is a function that shows a path to the operator')
  }
  checkRoutes(routes, routeGroups)
  if (typeof sources !== 'string') checkSources(sources)
  checkInstruments(instruments)
  checkProcessorShapes(processors)
  checkStrategies(strategies)
  if (broker !== undefined) demandMethods('broker', broker, BROKER)
  if (log !== undefined) demandMethods('log', log, LOG)
  if (coordination !== undefined) demandMethods('coordination', coordination, COORDINATION)
}

function checkRoutes (routes: unknown, groups: readonly string[]): void {
  if (routes === undefined) return
  if (!Array.isArray(routes)) throw new ConfigError(`routes is an array of ${groups.join(', ')}`)
  for (const name of routes.map(String)) {
    if (!groups.includes(name)) {
      throw new ConfigError(`routes: there is no '${name}'${insteadOf(name, groups)}`)
    }
  }
}

function checkSources (sources: unknown): void {
  if (sources === undefined) return
  if (!Array.isArray(sources)) throw new ConfigError('sources is an array, or a text as in SOURCES')
  for (const [index, source] of sources.entries()) {
    demandMethods(`sources[${index}]`, source, SOURCE)
    if (typeof (source as Given)['name'] !== 'string') throw new ConfigError(`sources[${index}] has no name`)
  }
}

function checkInstruments (instruments: unknown): void {
  if (instruments === undefined) return
  if (!Array.isArray(instruments)) throw new ConfigError('instruments is an array of instruments')
  for (const [index, instrument] of instruments.entries()) {
    const fault = instrumentFault(instrument)
    if (fault !== undefined) throw new ConfigError(`instruments[${index}]: ${fault.message}`)
  }
}

function checkProcessorShapes (processors: unknown): void {
  if (processors === undefined) return
  if (!Array.isArray(processors)) throw new ConfigError('processors is an array of processors')
  for (const [index, processor] of processors.entries()) {
    const at = `processors[${index}]`
    demandMethods(at, processor, methodsOf(processor))
    const { name, inputs, outputs } = processor as Given
    if (typeof name !== 'string') throw new ConfigError(`${at} has no name`)
    for (const [option, value] of Object.entries({ inputs, outputs })) {
      const isList = Array.isArray(value) && value.every(channel => typeof channel === 'string')
      if (!isList) throw new ConfigError(`${at} has no ${option}: an array of the names of channels`)
    }
  }
}

function checkStrategies (strategies: unknown): void {
  if (strategies === undefined) return
  const isModule = (module: unknown): boolean => typeof module === 'string' || module instanceof URL
  if (!Array.isArray(strategies) || !strategies.every(isModule)) {
    throw new ConfigError('strategies is an array of paths or URLs of modules: a worker loads them, ' +
      'and cannot be given functions')
  }
}

/** What tells the kinds of processors apart. */
function methodsOf (processor: unknown): readonly string[] {
  if (!isObject(processor)) return TOPIC_PROCESSOR
  if (processor['journal'] !== undefined) return JOURNAL_PROCESSOR
  return processor['due'] === undefined ? TOPIC_PROCESSOR : VIEW_PROCESSOR
}

function demandMethods (option: string, value: unknown, methods: readonly string[]): void {
  const missing = methods.find(method =>
    typeof value !== 'object' || value === null || typeof (value as Given)[method] !== 'function')
  if (missing === undefined) return
  throw new ConfigError(`${option} has no '${missing}': it is an object with ${methods.join(', ')}`)
}
