import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** Tokens as RFC 7515 and 7519 have them, made without the server and without its libraries. */

export type PublicAlgorithm = 'RS256' | 'ES256' | 'EdDSA'

export interface KeyPair {
  readonly algorithm: PublicAlgorithm
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  /** Of the public key. */
  readonly pem: string
}

export function keyPair (algorithm: PublicAlgorithm): KeyPair {
  const pair = generate(algorithm)
  return { algorithm, ...pair, pem: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

function generate (algorithm: PublicAlgorithm): { publicKey: KeyObject, privateKey: KeyObject } {
  switch (algorithm) {
    case 'RS256': return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'ES256': return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'EdDSA': return generateKeyPairSync('ed25519')
  }
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Header and claims, signed by whatever `signature` makes of them. */
export function compact (
  header: object,
  claims: object,
  signature: (signed: string) => string | Buffer
): string {
  const signed = `${part(header)}.${part(claims)}`
  const bytes = signature(signed)
  return `${signed}.${typeof bytes === 'string' ? bytes : bytes.toString('base64url')}`
}

export const hmac = (secret: string | Buffer, digest = 'sha256') => (signed: string): Buffer => createHmac(digest, secret).update(signed).digest()

export const signature = ({ algorithm, privateKey }: KeyPair) => (signed: string): Buffer => {
  const bytes = Buffer.from(signed)
  switch (algorithm) {
    case 'RS256': return sign('sha256', bytes, privateKey)
    case 'ES256': return sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
    case 'EdDSA': return sign(null, bytes, privateKey)
  }
}

/** A token of a key pair. @param header what it says beside the algorithm */
export function pairToken (pair: KeyPair, claims: object, header: object = {}): string {
  return compact({ alg: pair.algorithm, typ: 'JWT', ...header }, claims, signature(pair))
}

/** A token of a secret. */
export const secretToken = (secret: string, claims: object): string => compact({ alg: 'HS256', typ: 'JWT' }, claims, hmac(secret))

/** Claims of which a test changes what it is about. */
export const goodClaims = (seconds = 300): { sub: string, iss: string, aud: string, exp: number } =>
  ({ sub: 'alice', iss: 'tickwire', aud: 'tickwire', exp: Math.floor(Date.now() / 1000) + seconds })

/** A key of a set (RFC 7517). */
export const jwkOf = ({ publicKey }: KeyPair, kid: string, others: object = {}): object => ({ ...publicKey.export({ format: 'jwk' }), kid, ...others })
