import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { PublicKey } from '../auth/order-key.js'
import { ConfigError } from '../config.js'

/** A key of HMAC-SHA256 needs at least as many bytes as the signature has (RFC 7518, 3.2). */
const MIN_SECRET_BYTES = 32

const Named = { kid: Type.String({ minLength: 1, maxLength: 256 }), use: Type.Optional(Type.Literal('sig')) }
const PublicMember = Type.Object({
  ...PublicKey.properties,
  ...Named,
  alg: Type.Optional(Type.Union([Type.Literal('EdDSA'), Type.Literal('Ed25519')]))
})
const SecretMember = Type.Object({
  kty: Type.Literal('oct'),
  k: Type.String({ pattern: '^[A-Za-z0-9_-]+$' }),
  ...Named,
  alg: Type.Optional(Type.Literal('HS256'))
})
const setCheck = TypeCompiler.Compile(Type.Object({ keys: Type.Array(Type.Unknown()) }))
const memberCheck = TypeCompiler.Compile(Type.Union([PublicMember, SecretMember]))
const privateCheck = TypeCompiler.Compile(Type.Object({ kty: Type.Literal('OKP'), d: Type.Unknown() }))

const ALLOWED = 'with a kid, either a public key for Ed25519 (kty OKP, crv Ed25519, x), ' +
  `or a secret of at least ${MIN_SECRET_BYTES} bytes for HMAC-SHA256 (kty oct, k)`

/**
 * Reads the keys of users, by their `kid`. The operator wrote the file for this server alone, so a key that
 * cannot be used is a mistake, and not one of somebody else's that is to be passed over.
 * @param path `ORDER_KEYS`: a file with a JSON Web Key Set (RFC 7517)
 * @throws ConfigError, which shows no key
 */
export function readOrderKeys (path: string): ReadonlyMap<string, KeyObject> {
  const set = parse(readFile(path))
  if (!setCheck.Check(set)) {
    throw new ConfigError('ORDER_KEYS must be the file of a set of keys: {"keys":[…]}')
  }
  const keys = new Map<string, KeyObject>()
  for (const [index, member] of set.keys.entries()) {
    const place = `ORDER_KEYS: key ${index + 1} of the set`
    if (privateCheck.Check(member)) {
      throw new ConfigError(`${place} is a private key, which only its user may have: remove its d`)
    }
    if (!memberCheck.Check(member)) throw new ConfigError(`${place} cannot be used: it must be, ${ALLOWED}`)
    if (keys.has(member.kid)) throw new ConfigError(`${place} has the kid of another`)
    const key = keyOf(member)
    if (key.type === 'secret' && key.symmetricKeySize! < MIN_SECRET_BYTES) {
      throw new ConfigError(`${place} is shorter than ${MIN_SECRET_BYTES} bytes: ` +
        'somebody who has one signature could find it by trying')
    }
    keys.set(member.kid, key)
  }
  return keys
}

function readFile (path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException
    throw new ConfigError(`ORDER_KEYS is not the path of a file that can be read (${code})`)
  }
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message repeats the text, which may hold secrets.
    throw new ConfigError('ORDER_KEYS must be the file of a set of keys as JSON (RFC 7517)')
  }
}

function keyOf (jwk: Static<typeof PublicMember> | Static<typeof SecretMember>): KeyObject {
  return jwk.kty === 'oct' ? createSecretKey(jwk.k, 'base64url') : publicKeyOf(jwk)
}

/** Returns the key of a JSON Web Key for Ed25519. */
export function publicKeyOf ({ kty, crv, x }: Static<typeof PublicKey>): KeyObject {
  return createPublicKey({ format: 'jwk', key: { kty, crv, x } })
}
