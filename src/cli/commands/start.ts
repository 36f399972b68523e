import { ConfigSchema } from '../../config.js'
import { type Command, type Option, UsageError } from '../command.js'

/** Secrets do not belong on a command line, where everybody on the machine can read them. */
const SECRET = /SECRET|REDIS_URL/

const flagOf = (name: string): string => name.toLowerCase().replaceAll('_', '-')
const settings = Object.keys(ConfigSchema.properties).filter(name => !SECRET.test(name))

const options: Record<string, Option> = Object.fromEntries(settings.map(name =>
  [flagOf(name), { type: 'string', value: name === 'SOURCES' ? 'sources' : 'value', description: `the environment variable ${name}` }]))

export const start: Command = {
  name: 'start',
  summary: 'Starts a server.',
  usage: '[flags]',
  options,
  examples: ['tickwire start', "JWT_SECRET=… tickwire start --port 9000 --sources 'simulated?rate=10'", 'tickwire check-config    # what it would start with'],

  async run ({ values, positionals }) {
    if (positionals.length > 0) throw new UsageError(`start takes flags only, not '${positionals[0]!}'`)
    for (const name of settings) {
      const value = values[flagOf(name)]
      if (typeof value === 'string') process.env[name] = value
    }
    const { serve } = await import('../../server.js')
    return await serve()
  }
}
