import { type Config, ConfigSchema } from './config.js'
import { nearest } from './nearest.js'

/** What a server can start with and is hardly meant: it says so when it starts, and so does `tickwire check-config`. */

/** What NODE_ENV is set to for other programs, too. */
const ENVIRONMENTS: readonly string[] = ['production', 'development', 'test']
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/

/** Of settings, wherever they come from. */
export function settingNotices ({ NODE_ENV, ALLOWED_ORIGINS }: Pick<Config, 'NODE_ENV' | 'ALLOWED_ORIGINS'>): string[] {
  const environment = NODE_ENV === undefined || ENVIRONMENTS.includes(NODE_ENV)
    ? []
    : [`NODE_ENV=${JSON.stringify(NODE_ENV)} is not production: this server runs as in development`]
  const origins = ALLOWED_ORIGINS.split(',').map(origin => origin.trim()).filter(origin => !['', '*', 'null'].includes(origin) && !ORIGIN.test(origin))
  return [...environment, ...origins.map(origin => `ALLOWED_ORIGINS: no page has the origin ${JSON.stringify(origin)}; write it with its scheme and without a path, as https://app.example`)]
}

type Environment = Readonly<Record<string, string | undefined>>

/** Of the environment of the process. Values of variables that are not ours are not shown. */
export function environmentNotices (env: Environment, { HOST, AUTH, NODE_ENV }: Config): string[] {
  const open = AUTH === 'optional' && (env['AUTH'] ?? '') === '' && NODE_ENV !== 'production' && !LOOPBACK.test(HOST)
    ? [`HOST=${HOST} is open to the network, and everybody there can read public channels: AUTH=required demands a token, AUTH=optional says that this is meant`]
    : []
  return [...open, ...misspelt(env)]
}

const NAMES = Object.keys(ConfigSchema.properties)
/** The command's own, beside those of the configuration. */
const OTHERS: readonly string[] = ['TICKWIRE_TOKEN', 'TICKWIRE_URL']
/** How no other program's variables are likely to begin. */
const PREFIX = /^(ALLOWED_ORIGIN|HEARTBEAT|IDLE_TIMEOUT|JWT|MAX_(BUFFERED|CONNECTIONS|SUBSCRIPTIONS|TOPICS)|RATE_LIMIT|REDIS|RETENTION|SHUTDOWN_GRACE|TICKWIRE|TRUST_PROXY|UNKNOWN_SYMBOL)/
/** What Kubernetes and docker set for a service of such a name: TICKWIRE_SERVICE_HOST, REDIS_PORT_6379_TCP. */
const OF_A_SERVICE = /_(SERVICE|PORT)(_|$)/
/** By how many letters a name may differ and still be meant for one of ours: many short names are similar by chance. */
const LONG_NAME = 10
const mayDiffer = (name: string): number => name.length < LONG_NAME ? 1 : 2

function misspelt (env: Environment): string[] {
  return Object.keys(env).filter(name => !NAMES.includes(name) && !OTHERS.includes(name) && (env[name] ?? '') !== '').flatMap(name => {
    const upper = name.toUpperCase()
    const similar = nearest(upper, NAMES, mayDiffer(name))
    // One word in lower case is another program's.
    if (similar !== undefined && (name === upper || name.includes('_'))) return [`the environment variable ${name} is not read; did you mean ${similar}?`]
    return PREFIX.test(name) && !OF_A_SERVICE.test(name) ? [`the environment variable ${name} is not read: there is none of this name`] : []
  })
}
