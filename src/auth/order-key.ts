import { type Static, Type } from '@sinclair/typebox'

/**
 * A public key for Ed25519 as a JSON Web Key (RFC 8037). A key with its private part is refused: whoever sent
 * it has shown it to others.
 */
export const PublicKey = Type.Object({
  kty: Type.Literal('OKP'),
  crv: Type.Literal('Ed25519'),
  x: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
  d: Type.Optional(Type.Never())
})

/**
 * The claim `order_key`: a public key, or the `kid` of a key of `ORDER_KEYS`. A secret (HMAC) is known by its
 * `kid` alone: everybody who sees a token can read its claims.
 */
export const OrderKey = Type.Union([Type.String({ minLength: 1, maxLength: 256 }), PublicKey])
export type OrderKey = Static<typeof OrderKey>
