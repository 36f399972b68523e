import { ConfigSchema } from '../../config.js'
import { type Command, flagOf, type Option, UsageError } from '../command.js'

/** Secrets must not be flags: everybody on the machine can read a command line. */
const SECRET = /SECRET|SIGNING_KEY|REDIS_URL|DATABASE_URL/

/** The help shows up to this many choices as the flag's value. */
const MAX_CHOICES = 3

/** The parts of a setting's schema that the help needs. */
interface Described {
  readonly type?: string
  readonly default?: unknown
  readonly description?: string
  readonly unit?: string
  readonly anyOf?: ReadonlyArray<Readonly<Record<string, unknown>>>
}

const described = Object.entries<Described>(ConfigSchema.properties)
const settings = described.filter(([name]) => !SECRET.test(name))
const options: Record<string, Option> = Object.fromEntries(settings.map(([name, schema]) =>
  [flagOf(name), { type: 'string', value: valueOf(schema), description: meaningOf(schema) }]))

/** Returns the placeholder of a flag: its choices, its unit, or its kind. */
function valueOf ({ type, unit, anyOf = [] }: Described): string {
  if (unit !== undefined) return unit
  if (anyOf.length > 0 && anyOf.every(choice => choice['const'] !== undefined)) {
    return anyOf.length > MAX_CHOICES ? 'name' : anyOf.map(choice => String(choice['const'])).join('|')
  }
  return type === 'integer' ? 'number' : 'text'
}

function meaningOf ({ default: value, description = '', unit }: Described): string {
  if (value === undefined || value === '') return description
  const shownUnit = unit === undefined || typeof value !== 'number' ? '' : ` ${unit}`
  return `${description} (default ${String(value)}${shownUnit})`
}

export const start: Command = {
  name: 'start',
  summary: 'Starts a server. Each flag stands for an environment variable: --port for PORT.',
  usage: '[flags]',
  options,
  secrets: described.filter(([name]) => SECRET.test(name))
    .map(([name, schema]) => [name, meaningOf(schema)] as const),
  examples: [
    'tickwire start',
    "JWT_SECRET=… tickwire start --port 9000 --sources 'simulated?rate=10'",
    'tickwire check-config    # what it would start with'
  ],

  async run ({ values, positionals }) {
    if (positionals.length > 0) throw new UsageError(`start takes flags only, not '${positionals[0]!}'`)
    for (const [name] of settings) {
      const value = values[flagOf(name)]
      if (typeof value === 'string') process.env[name] = value
    }
    const { serve } = await import('../../server.js')
    return await serve()
  }
}
