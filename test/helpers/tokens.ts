import { compact, hmac } from './jwt.js'

/** A token as RFC 7519 has it, made without the server: signed with a secret, or said to be. */
export const makeToken = (secret: string, claims: object, header: object = { alg: 'HS256', typ: 'JWT' }): string => compact(header, claims, hmac(secret))

/** Claims that this server asks for, good for some seconds. */
export const goodClaims = (claims: object, seconds = 3600): object =>
  ({ iss: 'tickwire', aud: 'tickwire', exp: Math.floor(Date.now() / 1000) + seconds, ...claims })

/** Tokens are signed with it, where a test gives no other key. */
export const SECRET = 'a secret for tests only, long enough'

/**
 * Signs claims with the tests' secret.
 * @param seconds until the token ends; if negative, it has ended already
 */
export const signedToken = (claims: object, seconds = 300, secret = SECRET): string => (
  makeToken(secret, goodClaims(claims, seconds))
)
