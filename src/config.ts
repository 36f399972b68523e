import type { Static, TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { isAddressList } from './addresses.js'
import { ConfigSchema } from './config-schema.js'
import { insteadOf } from './nearest.js'

export { ConfigSchema } from './config-schema.js'
export type Config = Static<typeof ConfigSchema>
type Name = keyof Config
const NAMES = Object.keys(ConfigSchema.properties) as Name[]

/** Settings of the process; an application that uses the plugin decides these itself. */
const OF_THE_PROCESS = [
  'PORT', 'HOST', 'WORKERS', 'LOG_LEVEL', 'TRUST_PROXY', 'TLS_CERT', 'TLS_KEY', 'WARM_UP_MS',
  'SHUTDOWN_GRACE_MS', 'SOURCES', 'BARS', 'INSTRUMENTS'
] as const
/** The settings that concern the streaming itself. */
export type StreamingSettings = Omit<Config, typeof OF_THE_PROCESS[number]>
const STREAMING = NAMES.filter(name => !OF_THE_PROCESS.some(other => other === name))

/** A setting with which the server cannot start; the message names it and says what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Reads the configuration of the process from its environment. @throws ConfigError */
export function loadConfig (env: Readonly<Record<string, string | undefined>>): Config {
  const values: Record<string, unknown> = {}
  for (const name of NAMES) {
    const text = env[name]
    if (text !== undefined && text !== '') values[name] = read(ConfigSchema.properties[name], text)
  }
  return checked(values, env)
}

/**
 * Reads the settings of an application, and adds the defaults of those that it leaves out.
 * @throws ConfigError
 */
export function loadSettings (given: Readonly<Record<string, unknown>>): StreamingSettings {
  for (const name of Object.keys(given)) {
    if (OF_THE_PROCESS.some(other => other === name)) {
      throw new ConfigError(`settings: ${name} is for the command alone: ` +
        'an application itself listens and closes')
    }
    if (!STREAMING.some(known => known === name)) {
      throw new ConfigError(`settings: there is no '${name}'${insteadOf(name, STREAMING)}`)
    }
  }
  try {
    return streamingSettings(checked(given, given))
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(`settings: ${error.message}`) : error
  }
}

/** Returns the settings of a configuration that the plugin takes. */
export function streamingSettings (config: Config): StreamingSettings {
  const given = STREAMING.map(name => [name, config[name]]).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as StreamingSettings
}

/**
 * Adds defaults for the values that are undefined, and checks each value by its schema and all of them
 * together.
 * @param given the values as they were written, for the message of a refusal
 * @throws ConfigError
 */
function checked (
  values: Readonly<Record<string, unknown>>, given: Readonly<Record<string, unknown>>
): Config {
  const production = values['NODE_ENV'] === 'production'
  const complete: Record<string, unknown> = {}
  for (const name of NAMES) {
    const value = values[name] ?? fallback(name, production)
    if (value === undefined) continue
    if (!Value.Check(ConfigSchema.properties[name], value)) throw unusable(name, given[name])
    complete[name] = value
  }
  const config = complete as Config
  if (typeof config.TRUST_PROXY === 'string' && !isAddressList(config.TRUST_PROXY)) {
    throw unusable('TRUST_PROXY', config.TRUST_PROXY)
  }
  if (config.IDLE_TIMEOUT_MS < config.HEARTBEAT_MS) {
    throw new ConfigError('IDLE_TIMEOUT_MS must be at least HEARTBEAT_MS: ' +
      'the server asks a client for a sign of life once a heartbeat')
  }
  if (config.LOG_PATH !== undefined && config.REDIS_URL !== undefined) {
    throw new ConfigError('LOG_PATH and REDIS_URL are set: ' +
      'the log is in files or on Redis; unset one of them')
  }
  if ((config.TLS_CERT === undefined) !== (config.TLS_KEY === undefined)) {
    throw new ConfigError('TLS_CERT and TLS_KEY go together: set both, ' +
      'the file of a certificate and of its key')
  }
  checkKeySettings(config)
  if (production && config.ALLOWED_ORIGINS.split(',').some(origin => origin.trim() === '*')) {
    throw new ConfigError('ALLOWED_ORIGINS=* is not allowed in production: name the origins')
  }
  return config
}

/** A secret needs at least as many bytes as the signature has (RFC 7518, 3.2). */
const MIN_SECRET_BYTES = 32

/** Returns the currency of totals, and of instruments that name none. */
export const baseCurrencyOf = (settings: Pick<Config, 'BASE_CURRENCY' | 'PAPER_BALANCES'>): string =>
  settings.BASE_CURRENCY ?? settings.PAPER_BALANCES.split(':', 1)[0]!

/** The settings that say how tokens are checked; only one of them may be set. */
const KEY_SETTINGS = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'] as const
export type KeySettings = Pick<Config, typeof KEY_SETTINGS[number] | 'NODE_ENV'>

/**
 * Returns the setting that says how tokens are checked; undefined if none is set.
 * @throws ConfigError if more than one is set, if none is set in production, or if its value cannot be used
 */
export function checkKeySettings (settings: KeySettings): typeof KEY_SETTINGS[number] | undefined {
  const production = settings.NODE_ENV === 'production'
  const given = KEY_SETTINGS.filter(name => settings[name] !== undefined)
  if (given.length > 1) {
    throw new ConfigError(`${given.join(' and ')} are set: only one of them can check tokens; ` +
      'unset the others')
  }
  if (production && given.length === 0) {
    throw new ConfigError('JWT_SECRET is needed in production to check tokens; ' +
      `or set ${KEY_SETTINGS.slice(1).join(' or ')}`)
  }
  // Anybody may know a public key; if it served as a secret, anybody could sign tokens.
  if (/-----BEGIN |"kty"/.test(settings.JWT_SECRET ?? '')) {
    throw new ConfigError('JWT_SECRET holds a key, not a secret; put a public key into JWT_PUBLIC_KEY')
  }
  if (production && isShortSecret(settings)) {
    throw new ConfigError(`JWT_SECRET is shorter than ${MIN_SECRET_BYTES} bytes: ` +
      'somebody who has one token could find the secret by trying; make one with: openssl rand -hex 32')
  }
  if (settings.JWT_JWKS_URL !== undefined) checkKeySetUrl(settings.JWT_JWKS_URL, production)
  return given[0]
}

/**
 * Tells whether the secret for tokens is too short for production. Elsewhere it may be, to try the server
 * out.
 */
export const isShortSecret = ({ JWT_SECRET }: KeySettings): boolean =>
  JWT_SECRET !== undefined && Buffer.byteLength(JWT_SECRET) < MIN_SECRET_BYTES

/** Demands https in production: somebody who can change the set on its way could sign any token. */
function checkKeySetUrl (text: string, production: boolean): void {
  if (!URL.canParse(text)) throw new ConfigError('JWT_JWKS_URL is not an address')
  const { protocol, hostname, username, password } = new URL(text)
  if (username !== '' || password !== '') {
    throw new ConfigError('JWT_JWKS_URL must not hold a name or a password: ' +
      'the server fetches public keys without')
  }
  if (production && protocol !== 'https:' && !LOOPBACK.test(hostname)) {
    throw new ConfigError('JWT_JWKS_URL must begin with https:// in production, unless it is on this machine')
  }
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

function fallback (name: Name, production: boolean): unknown {
  if (name === 'AUTH') return production ? 'required' : 'optional'
  return ConfigSchema.properties[name].default
}

function read (schema: TSchema, text: string): unknown {
  if (schema['type'] === 'integer') return /^\d{1,16}$/.test(text) ? Number(text) : text
  if (schema['type'] === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  if (Array.isArray(schema['anyOf'])) {
    const values = schema['anyOf'].map((choice: TSchema) => read(choice, text))
    return values.find(value => typeof value !== 'string') ?? text
  }
  return text
}

function unusable (name: Name, given: unknown): ConfigError {
  const shown = isConfidential(name) ? '…' : JSON.stringify(given)
  return new ConfigError(`${name}=${shown} cannot be used: ${allowed(ConfigSchema.properties[name])}`)
}

/**
 * Tells whether a setting may contain what nobody else should read: a secret, an address with a password, a
 * private key in the wrong place, an address with a key in its query.
 */
export const isConfidential = (name: string): boolean => /SECRET|PUBLIC_KEY|SIGNING_KEY|_URL|NEWS_FEEDS/.test(name)

function allowed (schema: TSchema): string {
  if (typeof schema['allowed'] === 'string') return schema['allowed']
  if (schema['type'] === 'integer') return `a whole number from ${schema['minimum']} to ${schema['maximum']}`
  if (schema['type'] === 'boolean') return 'true or false'
  if (Array.isArray(schema['anyOf'])) {
    return `one of ${schema['anyOf'].map((choice: TSchema) => choice['const'] ?? allowed(choice)).join(', ')}`
  }
  return 'a text that is not empty'
}
