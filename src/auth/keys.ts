import type { KeyObject } from 'node:crypto'

/** A signature's algorithm. The type of the key decides it, never the token: see docs/adr/0020. */
type Algorithm = 'HS256' | 'RS256' | 'ES256' | 'EdDSA'

/** A key that verifies signatures of tokens. */
export interface VerifyingKey {
  readonly algorithm: Algorithm
  /** A secret, or a public key as PEM. */
  readonly key: string
}

/** The keys that verify tokens. */
export interface Keys {
  /** The secret that signs tokens; absent if they are signed elsewhere. */
  readonly secret?: string
  /**
   * Returns the key for a token, by the `kid` of its header, which may be absent; undefined if there is none.
   * @throws ProtocolError `overloaded`: the keys could not be fetched yet
   */
  find (kid: unknown): VerifyingKey | undefined | Promise<VerifyingKey | undefined>
  close (): void
}

/** Shorter RSA keys can be broken (RFC 7518, 3.3). */
const MIN_RSA_BITS = 2048

/** Returns a public key with the one algorithm for its type; undefined if no algorithm supports the type. */
export function verifyingKey (key: KeyObject): VerifyingKey | undefined {
  const algorithm = algorithmOf(key)
  if (algorithm === undefined) return undefined
  return { algorithm, key: key.export({ type: 'spki', format: 'pem' }).toString() }
}

function algorithmOf (
  { asymmetricKeyType, asymmetricKeyDetails: details = {} }: KeyObject
): Algorithm | undefined {
  switch (asymmetricKeyType) {
    case 'rsa': return (details.modulusLength ?? 0) >= MIN_RSA_BITS ? 'RS256' : undefined
    case 'ec': return details.namedCurve === 'prime256v1' ? 'ES256' : undefined
    case 'ed25519': return 'EdDSA'
    default: return undefined
  }
}
