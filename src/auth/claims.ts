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
  if (!check.Check(claims)) throw new ProtocolError('unauthorized', 'the token lacks a claim that is needed, or one is malformed')
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

/** What {@link identityOf} reads back as given. */
export function claimsOf ({ user, expiresAt, admin, ...others }: Identity): Claims {
  return { sub: user ?? '', exp: (expiresAt ?? 0) / 1000, ...(admin ? { admin } : {}), ...others as Pick<Claims, 'name' | 'read' | 'publish'> }
}
