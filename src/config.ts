import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { isAddressList } from './addresses.js'

/** The environment variables, their defaults and bounds: the one place that knows them. */

const Port = Type.Integer({ minimum: 0, maximum: 65535 })
const Count = (defaultValue: number, maximum = 1_000_000_000) => Type.Integer({ minimum: 1, maximum, default: defaultValue })

export const ConfigSchema = Type.Object({
  PORT: Type.Integer({ ...Port, default: 8080 }),
  HOST: Type.String({ default: '127.0.0.1', minLength: 1 }),
  NODE_ENV: Type.Optional(Type.String()),
  NODE_NAME: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: '1 to 64 letters, digits, . _ and -' })),
  NODE_URL: Type.Optional(Type.String({ pattern: '^https?://[^\\s/@]+(/[^\\s@]*)?$', description: 'where others reach this server: http://host:8080' })),
  LOG_LEVEL: Type.Union(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map(level => Type.Literal(level)), { default: 'info' }),
  REDIS_URL: Type.Optional(Type.String({ pattern: '^(rediss?(\\+(sentinel|cluster))?://.+|/.+)$', description: 'redis://host:6379, redis+sentinel://host:26379,…/master, redis+cluster://host:6379,…, with rediss for TLS, or the path of a socket' })),
  REDIS_KEY_PREFIX: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$', default: 'tw', description: '1 to 32 letters, digits, . _ and -' }),
  LOG_SHARDS: Count(1, 32),
  RETENTION_MESSAGES: Count(10_000),
  RETENTION_SECONDS: Count(3600),
  RETENTION_BYTES: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, default: 256 * 1024 * 1024 }),
  FLUSH_MS: Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 0, maximum: 1000 })], { default: 'auto' }),
  HEARTBEAT_MS: Type.Integer({ minimum: 10, maximum: 3_600_000, default: 25_000 }),
  IDLE_TIMEOUT_MS: Type.Integer({ minimum: 20, maximum: 3_600_000, default: 30_000 }),
  MAX_CONNECTIONS: Count(12_000),
  MAX_CONNECTIONS_PER_IP: Count(200),
  MAX_CONNECTIONS_PER_USER: Count(100),
  MAX_SUBSCRIPTIONS: Count(1000),
  MAX_MESSAGE_BYTES: Type.Integer({ minimum: 1024, maximum: 64 * 1024 * 1024, default: 65_536 }),
  MAX_BUFFERED_BYTES: Type.Integer({ minimum: 1024, maximum: 64 * 1024 * 1024, default: 65_536 }),
  MAX_TOPICS: Count(100_000),
  RATE_LIMIT_MESSAGES: Count(50),
  RATE_LIMIT_REQUESTS: Count(100),
  AUTH: Type.Union([Type.Literal('optional'), Type.Literal('required')]),
  JWT_SECRET: Type.Optional(Type.String({ minLength: 1 })),
  JWT_PUBLIC_KEY: Type.Optional(Type.String({ minLength: 1 })),
  JWT_JWKS_URL: Type.Optional(Type.String({ pattern: '^https?://[^\\s]+$', description: 'the https address of a set of keys (RFC 7517)' })),
  JWT_ISSUER: Type.String({ minLength: 1, default: 'tickwire' }),
  JWT_AUDIENCE: Type.String({ minLength: 1, default: 'tickwire' }),
  ALLOWED_ORIGINS: Type.String({ default: '' }),
  TRUST_PROXY: Type.Union([
    Type.Boolean(),
    Type.Integer({ minimum: 1, maximum: 32, description: 'a number of proxies from 1 to 32' }),
    Type.String({ description: 'a comma list of their addresses and networks (10.0.0.0/8, loopback)' })
  ], { default: false }),
  TLS_CERT: Type.Optional(Type.String({ minLength: 1 })),
  TLS_KEY: Type.Optional(Type.String({ minLength: 1 })),
  COMPRESSION: Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'on' }),
  SHUTDOWN_GRACE_MS: Type.Integer({ minimum: 0, maximum: 600_000, default: 10_000 }),
  SOURCES: Type.String({ default: 'simulated' }),
  UNKNOWN_SYMBOLS: Type.Union([Type.Literal('reject'), Type.Literal('accept')], { default: 'reject' })
})
export type Config = Static<typeof ConfigSchema>

/** A setting that the server cannot start with; the message says which, and what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** @throws ConfigError */
export function loadConfig (env: Readonly<Record<string, string | undefined>>): Config {
  const production = env['NODE_ENV'] === 'production'
  const values: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    const text = env[name]
    const value = text === undefined || text === '' ? fallback(name, schema, production) : read(schema, text)
    if (value === undefined) continue
    if (!Value.Check(schema, value)) throw unusable(name, text)
    values[name] = value
  }
  const config = values as Config
  if (typeof config.TRUST_PROXY === 'string' && !isAddressList(config.TRUST_PROXY)) throw unusable('TRUST_PROXY', config.TRUST_PROXY)
  if (config.IDLE_TIMEOUT_MS < config.HEARTBEAT_MS) {
    throw new ConfigError('IDLE_TIMEOUT_MS must be at least HEARTBEAT_MS: a peer is asked for a sign of life once a heartbeat')
  }
  if ((config.TLS_CERT === undefined) !== (config.TLS_KEY === undefined)) throw new ConfigError('TLS_CERT and TLS_KEY go together: the files of a certificate and of its key')
  checkKeySettings(config)
  if (production && config.ALLOWED_ORIGINS.split(',').some(origin => origin.trim() === '*')) throw new ConfigError('ALLOWED_ORIGINS=* is not allowed in production: name the origins')
  return config
}

/** Of a secret that tokens are signed with: as many as the signature has (RFC 7518, 3.2). */
const MIN_SECRET_BYTES = 32

/** How tokens are checked: one of these. */
const KEY_SETTINGS = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'] as const
export type KeySettings = Pick<Config, typeof KEY_SETTINGS[number] | 'NODE_ENV'>

/**
 * Which of the settings says how tokens are checked; undefined where none does.
 * @throws ConfigError where more than one does, or none in production, or one holds what belongs into another
 */
export function checkKeySettings (settings: KeySettings): typeof KEY_SETTINGS[number] | undefined {
  const production = settings.NODE_ENV === 'production'
  const given = KEY_SETTINGS.filter(name => settings[name] !== undefined)
  if (given.length > 1) throw new ConfigError(`${given.join(' and ')} are set: tokens are checked with one of them`)
  if (production && given.length === 0) throw new ConfigError(`JWT_SECRET is needed in production, or ${KEY_SETTINGS.slice(1).join(' or ')}: tokens are checked with it`)
  // Everybody may know a public key: as a secret it would let everybody sign.
  if (/-----BEGIN |"kty"/.test(settings.JWT_SECRET ?? '')) throw new ConfigError('JWT_SECRET holds a key and no secret: a public key belongs into JWT_PUBLIC_KEY')
  if (production && isShortSecret(settings)) {
    throw new ConfigError(`JWT_SECRET is shorter than ${MIN_SECRET_BYTES} bytes: who has one token could find it out by trying; make one with: openssl rand -hex 32`)
  }
  if (settings.JWT_JWKS_URL !== undefined) checkKeySetUrl(settings.JWT_JWKS_URL, production)
  return given[0]
}

/** Whether tokens are signed with a secret that is good enough for a try, and not for production. */
export const isShortSecret = ({ JWT_SECRET }: KeySettings): boolean => JWT_SECRET !== undefined && Buffer.byteLength(JWT_SECRET) < MIN_SECRET_BYTES

/** Who can change the set on its way can sign every token. */
function checkKeySetUrl (text: string, production: boolean): void {
  if (!URL.canParse(text)) throw new ConfigError('JWT_JWKS_URL is not an address')
  const { protocol, hostname, username, password } = new URL(text)
  if (username !== '' || password !== '') throw new ConfigError('JWT_JWKS_URL must not hold a name or a password: public keys are asked for without')
  if (production && protocol !== 'https:' && !LOOPBACK.test(hostname)) throw new ConfigError('JWT_JWKS_URL must begin with https:// in production, unless it is on this machine')
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

function fallback (name: string, schema: TSchema, production: boolean): unknown {
  if (name === 'AUTH') return production ? 'required' : 'optional'
  return schema.default
}

function read (schema: TSchema, text: string): unknown {
  if (schema['type'] === 'integer') return /^\d{1,16}$/.test(text) ? Number(text) : text
  if (schema['type'] === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  if (Array.isArray(schema['anyOf'])) {
    const choice = schema['anyOf'].map((choice: TSchema) => read(choice, text)).find(value => typeof value !== 'string')
    return choice ?? text
  }
  return text
}

function unusable (name: string, text: string | undefined): ConfigError {
  return new ConfigError(`${name}=${shown(name, text)} cannot be used: ${allowed(ConfigSchema.properties[name as keyof Config])}`)
}

/** Whether a setting may hold what nobody else should read: a secret, an address with a password, a private key in the wrong place. */
export const isConfidential = (name: string): boolean => /SECRET|PUBLIC_KEY|_URL/.test(name)

const shown = (name: string, text: string | undefined): string => isConfidential(name) ? '…' : JSON.stringify(text)

function allowed (schema: TSchema): string {
  if (typeof schema['description'] === 'string') return schema['description']
  if (schema['type'] === 'integer') return `a whole number from ${schema['minimum']} to ${schema['maximum']}`
  if (schema['type'] === 'boolean') return 'true or false'
  if (Array.isArray(schema['anyOf'])) return `one of ${schema['anyOf'].map((choice: TSchema) => choice['const'] ?? allowed(choice)).join(', ')}`
  return 'a text that is not empty'
}
