import type { KeyObject } from 'node:crypto'

/** How a token is signed. The kind of the key says it, and never the token: see docs/adr/0020. */
type Algorithm = 'HS256' | 'RS256' | 'ES256' | 'EdDSA'

/** What a token's signature is checked with. */
export interface VerifyingKey {
  readonly algorithm: Algorithm
  /** A secret, or a public key as PEM. */
  readonly key: string
}

/** Where the keys come from that tokens are checked with. */
export interface Keys {
  /** What tokens are signed with; absent where that is done elsewhere. */
  readonly secret?: string
  /**
   * The key of a token whose header has a `kid`, or none; undefined where there is no such key.
   * @throws ProtocolError `overloaded`: no keys could be had yet
   */
  find (kid: unknown): VerifyingKey | undefined | Promise<VerifyingKey | undefined>
  close (): void
}

/** Shorter ones can be broken (RFC 7518, 3.3). */
const MIN_RSA_BITS = 2048

/** A public key with the one algorithm that its type goes with; undefined for a type that none goes with. */
export function verifyingKey (key: KeyObject): VerifyingKey | undefined {
  const algorithm = algorithmOf(key)
  return algorithm === undefined ? undefined : { algorithm, key: key.export({ type: 'spki', format: 'pem' }).toString() }
}

function algorithmOf ({ asymmetricKeyType, asymmetricKeyDetails: details = {} }: KeyObject): Algorithm | undefined {
  switch (asymmetricKeyType) {
    case 'rsa': return (details.modulusLength ?? 0) >= MIN_RSA_BITS ? 'RS256' : undefined
    case 'ec': return details.namedCurve === 'prime256v1' ? 'ES256' : undefined
    case 'ed25519': return 'EdDSA'
    default: return undefined
  }
}
