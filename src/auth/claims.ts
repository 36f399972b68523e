import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { ProtocolError } from '@tickwire/protocol'
import type { Identity } from './identity.js'

/** Characters rather than what `maxLength` counts, of which some take two. */
const Pattern = Type.RegExp(/^.{0,128}$/su)
const Patterns = Type.Array(Pattern, { maxItems: 1000 })

/** The last second that a `Date` can hold: when a token expires is told to its client (`authenticated`). */
const MAX_EXP = 8_640_000_000_000

/** What a token must and may say, beside issuer and audience. */
const Claims = Type.Object({
  sub: Type.String({ minLength: 1, maxLength: 128 }),
  /** Seconds since 1970. */
  exp: Type.Number({ minimum: 0, maximum: MAX_EXP }),
  name: Type.Optional(Type.String({ maxLength: 256 })),
  read: Type.Optional(Patterns),
  publish: Type.Optional(Patterns),
  admin: Type.Optional(Type.Boolean())
})
type Claims = Static<typeof Claims>
const check = TypeCompiler.Compile(Claims)

/** @throws ProtocolError `unauthorized` */
export function identityOf (claims: unknown): Identity {
  if (!check.Check(claims)) throw new ProtocolError('unauthorized', faultOf(claims))
  const { sub, exp, name, read, publish, admin } = claims
  return {
    user: sub,
    expiresAt: exp * 1000,
    admin: admin === true,
    ...(name === undefined ? {} : { name }),
    ...(read === undefined ? {} : { read }),
    ...(publish === undefined ? {} : { publish })
  }
}

/** Which claim is wrong: by the name that the table has for it, never by what the token says. */
function faultOf (claims: unknown): string {
  const first = check.Errors(claims).First()
  const name = Object.keys(Claims.properties).find(name => first?.path.split('/')[1] === name)
  return name === undefined ? 'the token has no claims that can be read' : `the ${name} of the token is malformed: ${first!.message}`
}

/** What {@link identityOf} reads back as given. */
export function claimsOf ({ user, expiresAt, admin, ...others }: Identity): Claims {
  return { sub: user ?? '', exp: (expiresAt ?? 0) / 1000, ...(admin ? { admin } : {}), ...others as Pick<Claims, 'name' | 'read' | 'publish'> }
}

const WANTED: Readonly<Record<string, string>> = {
  sub: 'is needed, who the token is for: a text of 1 to 128 characters',
  name: 'is a text of at most 256 characters',
  read: 'is a list of patterns, each a text of at most 128 characters',
  publish: 'is a list of patterns, each a text of at most 128 characters',
  admin: 'is true or false'
}

/** What is wrong with claims that somebody wants to have signed, and with how many seconds the token is to be good; undefined where nothing is. */
export function faultOfClaims (claims: unknown, seconds: unknown): string | undefined {
  const given = typeof claims === 'object' && claims !== null ? claims : {}
  const error = check.Errors({ ...given, exp: 0 }).First()
  if (error !== undefined) {
    const name = error.path.split('/')[1] ?? ''
    return `'${name}' ${WANTED[name] ?? 'is not what it must be'}; it takes { sub, name?, read?, publish?, admin? }, and how many seconds the token is good`
  }
  if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds > 0 && seconds <= MAX_EXP) return undefined
  return `a token is good for a whole number of seconds above 0, not ${String(seconds)}`
}
