import { type Config, ConfigSchema } from './config.js'
import { nearest } from './nearest.js'
import { workerNotices } from './workers/settings.js'

/**
 * Warnings about settings with which the server can start, but which are probably a mistake. The server logs
 * them when it starts, and `tickwire check-config` prints them.
 */

/** Values of NODE_ENV that need no warning: people set them for other programs, too. */
const ENVIRONMENTS: readonly string[] = ['production', 'development', 'test']
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/

/** Returns the warnings about settings, whether they come from the environment or from an application. */
export function settingNotices (
  { NODE_ENV, ALLOWED_ORIGINS }: Pick<Config, 'NODE_ENV' | 'ALLOWED_ORIGINS'>
): string[] {
  const environment = NODE_ENV === undefined || ENVIRONMENTS.includes(NODE_ENV)
    ? []
    : [`NODE_ENV=${JSON.stringify(NODE_ENV)} is not production: this server runs as in development`]
  const origins = ALLOWED_ORIGINS.split(',').map(origin => origin.trim())
    .filter(origin => !['', '*', 'null'].includes(origin) && !ORIGIN.test(origin))
  return [...environment, ...origins.map(origin =>
    `ALLOWED_ORIGINS: no page has the origin ${JSON.stringify(origin)}; ` +
    'write it with its scheme and without a path, as https://app.example')]
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Returns the warnings about the environment of the process. They never show the value of an unknown
 * variable.
 */
export function environmentNotices (env: Environment, config: Config): string[] {
  const { HOST, AUTH, NODE_ENV } = config
  const isDefault = AUTH === 'optional' && (env['AUTH'] ?? '') === ''
  const open = isDefault && NODE_ENV !== 'production' && !LOOPBACK.test(HOST)
    ? [`HOST=${HOST} is open to the network, and everybody there can read public channels: ` +
      'set AUTH=required to demand a token, or AUTH=optional to say that this is meant']
    : []
  return [...open, ...workerNotices(config), ...misspelt(env)]
}

const NAMES = Object.keys(ConfigSchema.properties)
/** Variables that the command reads, beside those of the configuration. */
const OTHERS: readonly string[] = ['TICKWIRE_TOKEN', 'TICKWIRE_URL']
/** Beginnings of names that no other program is likely to use. */
const PREFIX = new RegExp('^(ALLOWED_ORIGIN|HEARTBEAT|IDLE_TIMEOUT|JWT|' +
  'MAX_(BUFFERED|CONNECTIONS|SUBSCRIPTIONS|TOPICS)|RATE_LIMIT|REDIS|RETENTION|SHUTDOWN_GRACE|TICKWIRE|' +
  'TRUST_PROXY|UNKNOWN_SYMBOL)')
/**
 * Kubernetes and docker set such variables for a service of that name: TICKWIRE_SERVICE_HOST,
 * REDIS_PORT_6379_TCP.
 */
const OF_A_SERVICE = /_(SERVICE|PORT)(_|$)/
/**
 * Names shorter than this may differ by one letter from ours, others by two: many short names are similar by
 * chance.
 */
const LONG_NAME = 10
const mayDiffer = (name: string): number => name.length < LONG_NAME ? 1 : 2

function misspelt (env: Environment): string[] {
  const unknown = Object.keys(env)
    .filter(name => !NAMES.includes(name) && !OTHERS.includes(name) && (env[name] ?? '') !== '')
  return unknown.flatMap(name => {
    const upper = name.toUpperCase()
    const similar = nearest(upper, NAMES, mayDiffer(name))
    // A single word in lower case belongs to another program.
    if (similar !== undefined && (name === upper || name.includes('_'))) {
      return [`the environment variable ${name} is not read; did you mean ${similar}?`]
    }
    return PREFIX.test(name) && !OF_A_SERVICE.test(name)
      ? [`the environment variable ${name} is not read: there is none of this name`]
      : []
  })
}
