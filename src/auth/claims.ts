import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { ProtocolError } from '@tickwire/protocol'
import type { Identity } from './identity.js'
import { OrderKey } from './order-key.js'

/** Counts characters; `maxLength` would count UTF-16 units, and some characters take two. */
const Pattern = Type.RegExp(/^.{0,128}$/su)
const Patterns = Type.Array(Pattern, { maxItems: 1000 })

/**
 * The last second that a `Date` can hold: the server tells the client when its token expires
 * (`authenticated`).
 */
const MAX_EXP = 8_640_000_000_000

/** The claims of a token, beside issuer and audience. */
const Claims = Type.Object({
  sub: Type.String({ minLength: 1, maxLength: 128 }),
  /** Seconds since 1970. */
  exp: Type.Number({ minimum: 0, maximum: MAX_EXP }),
  name: Type.Optional(Type.String({ maxLength: 256 })),
  read: Type.Optional(Patterns),
  publish: Type.Optional(Patterns),
  trade: Type.Optional(Type.Union([Type.Boolean(), Patterns])),
  admin: Type.Optional(Type.Boolean()),
  order_key: Type.Optional(OrderKey)
})
type Claims = Static<typeof Claims>
const check = TypeCompiler.Compile(Claims)

/** Returns the identity that the claims of a verified token describe. @throws ProtocolError `unauthorized` */
export function identityOf (claims: unknown): Identity {
  if (!check.Check(claims)) throw new ProtocolError('unauthorized', faultOf(claims))
  const { sub, exp, name, read, publish, trade, admin, order_key: orderKey } = claims
  return {
    user: sub,
    expiresAt: exp * 1000,
    admin: admin === true,
    ...(name === undefined ? {} : { name }),
    ...(read === undefined ? {} : { read }),
    ...(publish === undefined ? {} : { publish }),
    ...(trade === undefined || trade === false ? {} : { trade }),
    ...(orderKey === undefined ? {} : { orderKey: publicPart(orderKey) })
  }
}

/** Returns a key without the members that say nothing of the key itself. */
function publicPart (key: OrderKey): OrderKey {
  if (typeof key === 'string') return key
  const { kty, crv, x } = key
  return { kty, crv, x }
}

/** Says which claim is wrong, by its name in the table; it never shows a text of the token. */
function faultOf (claims: unknown): string {
  const first = check.Errors(claims).First()
  const name = Object.keys(Claims.properties).find(name => first?.path.split('/')[1] === name)
  if (name === undefined) return 'the claims of the token cannot be read'
  return `the ${name} of the token is malformed: ${first!.message}`
}

/** Returns claims from which {@link identityOf} makes the same identity again. */
export function claimsOf ({ user, expiresAt, admin, orderKey, ...others }: Identity): Claims {
  return {
    sub: user ?? '',
    exp: (expiresAt ?? 0) / 1000,
    ...(admin ? { admin } : {}),
    ...(orderKey === undefined ? {} : { order_key: orderKey }),
    ...others as Pick<Claims, 'name' | 'read' | 'publish' | 'trade'>
  }
}

const WANTED: Readonly<Record<string, string>> = {
  sub: 'is required and says who the token is for: a text of 1 to 128 characters',
  name: 'must be a text of at most 256 characters',
  read: 'must be a list of patterns, each a text of at most 128 characters',
  publish: 'must be a list of patterns, each a text of at most 128 characters',
  trade: 'must be true, false or a list of symbols, each a text of at most 128 characters',
  admin: 'must be true or false',
  order_key: 'must be a public key (kty OKP, crv Ed25519, x) or the kid of a key that the server has'
}

/**
 * Says what is wrong with claims that an application wants to sign, or with the token's lifetime; undefined
 * if nothing is.
 */
export function faultOfClaims (claims: unknown, seconds: unknown): string | undefined {
  const given = typeof claims === 'object' && claims !== null ? claims : {}
  const error = check.Errors({ ...given, exp: 0 }).First()
  if (error !== undefined) {
    const name = error.path.split('/')[1] ?? ''
    return `'${name}' ${WANTED[name] ?? 'is not as it must be'}; ` +
      'it takes { sub, name?, read?, publish?, trade?, admin?, order_key? }, ' +
      'and for how many seconds the token is valid'
  }
  if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds > 0 && seconds <= MAX_EXP) {
    return undefined
  }
  return `a token is valid for a whole number of seconds above 0, not ${String(seconds)}`
}
