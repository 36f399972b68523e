import { readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type TObject, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { BAR_INTERVALS, type BarInterval, ProtocolError, type StrategyRecord } from '@tickwire/protocol'
import { ConfigError } from '../config.js'
import { insteadOf } from '../nearest.js'
import { INTERVAL, isStrategy, type Strategy } from './define-strategy.js'

const BUILT_IN = ['moving-average-crossover', 'breakout'].map(name =>
  new URL(`./built-in/${name}.js`, import.meta.url))

const Interval = Type.Union(Object.keys(BAR_INTERVALS).map(interval => Type.Literal(interval)), {
  default: '1m',
  title: `one of ${Object.keys(BAR_INTERVALS).join(', ')}`,
  description: 'of the bars that it gets'
})

/** A strategy that users can start. */
export interface Registered {
  readonly strategy: Strategy
  /** The address of the module that has it; a worker loads it from there. */
  readonly module: string
  /** The schema of its parameters, and of `interval`. */
  readonly parameters: TObject
}

/** The strategies of the server, by name: built in, of a folder, and of the application. */
export class StrategyRegistry {
  private constructor (private readonly strategies: ReadonlyMap<string, Registered>) {}

  /**
   * Loads the strategies that are built in, those of modules, and those of all `.js` and `.mjs` files of a
   * folder.
   * @param modules paths or URLs
   * @throws ConfigError that names the module and says what is wrong with it
   */
  static async load (modules: readonly (string | URL)[], folder?: string): Promise<StrategyRegistry> {
    const strategies = new Map<string, Registered>()
    for (const url of [...BUILT_IN, ...modules.map(urlOf), ...await filesOf(folder)]) {
      for (const strategy of await strategiesOf(url)) {
        const { name } = strategy
        const other = strategies.get(name)
        if (other !== undefined && other.module !== url.href) {
          throw new ConfigError(`${url.href} has a strategy ${name}, and so has ${other.module}: rename one`)
        }
        strategies.set(name, { strategy, module: url.href, parameters: parametersOf(strategy) })
      }
    }
    return new StrategyRegistry(strategies)
  }

  get (name: string): Registered | undefined {
    return this.strategies.get(name)
  }

  all (): Iterable<Registered> {
    return this.strategies.values()
  }

  /** @throws ProtocolError `not_found` that says which there are */
  require (name: string): Registered {
    const found = this.strategies.get(name)
    if (found !== undefined) return found
    const names = [...this.strategies.keys()]
    throw new ProtocolError('not_found',
      `there is no strategy '${name}'${insteadOf(name, names)}`)
  }
}

/**
 * Returns parameters with their defaults.
 * @throws ProtocolError `invalid_message` that names the parameter and says what it must be
 */
export function readParameters (
  { strategy: { name }, parameters }: Registered, given: StrategyRecord['parameters']
): StrategyRecord['parameters'] {
  const complete = Value.Default(parameters, { ...given })
  if (Value.Check(parameters, complete)) return complete as StrategyRecord['parameters']
  const first = Value.Errors(parameters, complete).First()!
  const parameter = first.path.slice(1)
  const known = Object.keys(parameters.properties)
  if (!known.includes(parameter)) {
    throw new ProtocolError('invalid_message',
      `${name} has no such parameter; there are: ${known.join(', ')}`)
  }
  const { title } = first.schema
  const wanted = title === undefined ? first.message : `must be ${title}`
  throw new ProtocolError('invalid_message', `the parameter '${parameter}': ${wanted}`)
}

/** Returns the interval of the bars that a strategy gets; undefined if it gets none. */
export function intervalOf (
  { strategy }: Registered, parameters: StrategyRecord['parameters']
): BarInterval | undefined {
  return strategy.onBar === undefined ? undefined : parameters[INTERVAL] as BarInterval
}

/** Returns the schema of all parameters that a user may give. */
function parametersOf ({ parameters, onBar }: Strategy): TObject {
  const own = parameters.properties
  const all = onBar === undefined ? own : { ...own, [INTERVAL]: Interval }
  return Type.Object(all, { additionalProperties: false })
}

function urlOf (module: string | URL): URL {
  if (module instanceof URL) return module
  return module.startsWith('file:') ? new URL(module) : pathToFileURL(resolve(module))
}

async function filesOf (folder: string | undefined): Promise<URL[]> {
  if (folder === undefined) return []
  try {
    const names = await readdir(folder)
    return names.filter(name => /\.m?js$/.test(name)).sort().map(name => urlOf(resolve(folder, name)))
  } catch (error) {
    throw new ConfigError(`STRATEGIES=${folder} cannot be read: ${(error as Error).message}`)
  }
}

/** Returns the strategies that a module exports. @throws ConfigError */
async function strategiesOf (url: URL): Promise<Strategy[]> {
  let exported: Readonly<Record<string, unknown>>
  try {
    exported = await import(url.href) as typeof exported
  } catch (error) {
    throw new ConfigError(`the strategies of ${url.href} cannot be loaded: ${(error as Error).message}`)
  }
  const strategies = new Set(Object.values(exported).filter(isStrategy))
  if (strategies.size === 0) {
    throw new ConfigError(`${url.href} exports no strategy: export what defineStrategy returns`)
  }
  return [...strategies]
}
