/**
 * Prints a token signed with JWT_SECRET: who it is for and what it permits.
 *
 *   JWT_SECRET=… npm run --silent token -- --sub alice --publish '*' --admin --ttl 3600
 */
import { createHmac } from 'node:crypto'
import { parseArgs } from 'node:util'

const USAGE = "usage: JWT_SECRET=… npm run --silent token -- --sub alice [--name 'Alice'] [--read 'quotes:*']… [--publish '*']… [--admin] [--ttl 3600]"

/**
 * @param {string} message
 * @returns {never}
 */
const fail = message => {
  console.error(`token: ${message}\n${USAGE}`)
  process.exit(1)
}

const parse = () => {
  try {
    return parseArgs({
      options: {
        sub: { type: 'string' },
        name: { type: 'string' },
        read: { type: 'string', multiple: true },
        publish: { type: 'string', multiple: true },
        admin: { type: 'boolean' },
        ttl: { type: 'string', default: '3600' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error))
  }
}

const { sub, ttl, help, ...claims } = parse()
if (help) {
  console.log(USAGE)
  process.exit(0)
}
const secret = process.env.JWT_SECRET || fail('JWT_SECRET is not set; it must be that of the server')
if (!sub) fail('--sub is needed: who the token is for')
if (!/^[1-9]\d{0,8}$/.test(ttl)) fail(`--ttl is a number of seconds, not '${ttl}'`)

const now = Math.floor(Date.now() / 1000)
/** @param {object} value */
const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url')
const body = encode({ alg: 'HS256', typ: 'JWT' }) + '.' + encode({
  sub,
  ...claims,
  iss: process.env.JWT_ISSUER || 'tickwire',
  aud: process.env.JWT_AUDIENCE || 'tickwire',
  iat: now,
  exp: now + Number(ttl),
})
console.log(`${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`)
