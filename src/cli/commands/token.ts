import { createHmac, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Config, ConfigError, loadConfig } from '../../config.js'
import { type Command, CommandError, text, texts, UsageError } from '../command.js'

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
const DEFAULT_TTL = '1h'

export const token: Command = {
  name: 'token',
  summary: 'Prints a token signed with JWT_SECRET, which says whose it is and what it permits.',
  usage: '--sub <user> [flags]',
  options: {
    sub: { type: 'string', value: 'user', description: 'whose token it is' },
    name: { type: 'string', value: 'name', description: "the person's name" },
    read: {
      type: 'string',
      multiple: true,
      value: 'pattern',
      description: "what the user may read: 'quotes:*', 'quotes:AAPL', 'orders', '*'; repeatable " +
        "(default: the public channels, and the user's own topics)"
    },
    publish: {
      type: 'string',
      multiple: true,
      value: 'pattern',
      description: 'what the user may publish to; repeatable (default: nothing)'
    },
    trade: {
      type: 'string',
      multiple: true,
      value: 'symbol',
      description: "the symbols whose orders the user may send: 'AAPL', or '*' for all; repeatable " +
        '(default: none)'
    },
    admin: { type: 'boolean', description: 'the user may use /v1/admin/…' },
    'order-key': {
      type: 'string',
      value: 'file',
      description: 'the user signs orders with this key for Ed25519, a PEM file; ' +
        'the token gets its public part'
    },
    'order-kid': {
      type: 'string', value: 'kid', description: 'the same with a key of ORDER_KEYS, by its kid'
    },
    ttl: {
      type: 'string',
      value: 'time',
      description: `how long it is valid: 90s, 30m, 12h, 7d, or seconds (default ${DEFAULT_TTL})`
    },
    json: { type: 'boolean', description: 'prints the claims, too, as JSON' }
  },
  examples: [
    "JWT_SECRET=… tickwire token --sub alice --publish '*' --ttl 12h",
    'export TICKWIRE_TOKEN=$(JWT_SECRET=… tickwire token --sub operator --admin)'
  ],

  async run ({ values, positionals, env }) {
    if (positionals.length > 0) throw new UsageError(`token takes flags only, not '${positionals[0]!}'`)
    const sub = text(values, 'sub')
    if (sub === undefined || sub === '') throw new UsageError('token needs --sub: the user whose token it is')
    const { JWT_SECRET: secret, JWT_PUBLIC_KEY, JWT_JWKS_URL, JWT_ISSUER: iss, JWT_AUDIENCE: aud } = read(env)
    if (JWT_PUBLIC_KEY !== undefined || JWT_JWKS_URL !== undefined) {
      const setting = JWT_PUBLIC_KEY === undefined ? 'JWT_JWKS_URL' : 'JWT_PUBLIC_KEY'
      throw new CommandError(`${setting} is set: only the owner of the private key can sign tokens for ` +
        'that server; this command signs with JWT_SECRET')
    }
    if (secret === undefined) {
      throw new CommandError('JWT_SECRET is not set; set it to the secret of the server')
    }
    const now = Math.floor(Date.now() / 1000)
    const name = text(values, 'name')
    const readable = texts(values, 'read')
    const publish = texts(values, 'publish')
    const trade = texts(values, 'trade')
    const claims = {
      sub,
      ...(name === undefined ? {} : { name }),
      ...(readable.length === 0 ? {} : { read: readable }),
      ...(publish.length === 0 ? {} : { publish }),
      ...(trade.length === 0 ? {} : { trade: trade.includes('*') ? true : trade }),
      ...(values['admin'] === true ? { admin: true } : {}),
      ...orderKey(text(values, 'order-key'), text(values, 'order-kid')),
      iss,
      aud,
      iat: now,
      exp: now + seconds(text(values, 'ttl') ?? DEFAULT_TTL)
    }
    const signed = sign(claims, secret)
    console.log(values['json'] === true ? JSON.stringify({ token: signed, claims }, null, 2) : signed)
    return 0
  }
}

/**
 * Reads the part of the environment that concerns tokens: the rest is the server's, and need not be valid
 * here.
 */
function read (
  { JWT_SECRET, JWT_PUBLIC_KEY, JWT_JWKS_URL, JWT_ISSUER, JWT_AUDIENCE }: NodeJS.ProcessEnv
): Config {
  try {
    return loadConfig({ JWT_SECRET, JWT_PUBLIC_KEY, JWT_JWKS_URL, JWT_ISSUER, JWT_AUDIENCE })
  } catch (error) {
    throw error instanceof ConfigError ? new CommandError(error.message) : error
  }
}

/** Returns the claim for the key with which a user signs orders: the public part of a private key. */
function orderKey (file: string | undefined, kid: string | undefined): object {
  if (file === undefined) return kid === undefined ? {} : { order_key: kid }
  if (kid !== undefined) throw new UsageError('a user signs with one key: --order-key or --order-kid')
  try {
    const { kty, crv, x } = createPublicKey(readFileSync(file, 'utf8')).export({ format: 'jwk' })
    if (crv === 'Ed25519') return { order_key: { kty, crv, x } }
  } catch {}
  throw new CommandError(`--order-key: ${file} is not the PEM file of a key for Ed25519; make one with: ` +
    'openssl genpkey -algorithm ed25519')
}

function seconds (time: string): number {
  const [, digits, unit = 's'] = /^([1-9]\d{0,8})([smhd])?$/.exec(time) ?? []
  if (digits === undefined) throw new UsageError(`--ttl is a time like 90s, 30m, 12h or 7d, not '${time}'`)
  return Number(digits) * UNITS[unit]!
}

function sign (claims: object, secret: string): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
}
