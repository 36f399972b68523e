import { createPublicKey, type KeyObject } from 'node:crypto'
import { ConfigError } from '../config.js'
import { type VerifyingKey, verifyingKey } from './keys.js'
import { PEM_BEGIN, readPem } from './pem.js'

const PRIVATE = /-----BEGIN [A-Z ]*PRIVATE KEY-----/

/**
 * Reads the key of `JWT_PUBLIC_KEY`. It removes white space around the PEM first: a JWT library that does not
 * recognise a public key would take it for a secret, and everybody knows a public key.
 * @param setting a PEM, whose line breaks may be written as `\n`, or the path of a PEM file
 * @throws ConfigError
 */
export function readPublicKey (setting: string): VerifyingKey {
  const pem = readPem('JWT_PUBLIC_KEY', setting)
  if (PRIVATE.test(pem)) {
    throw new ConfigError('JWT_PUBLIC_KEY holds a private key, which this server must not have: ' +
      'give it the public one (openssl pkey -in private.pem -pubout)')
  }
  const key = pem.startsWith(PEM_BEGIN) ? verifyingKey(parse(pem)) : undefined
  if (key === undefined) {
    throw new ConfigError('JWT_PUBLIC_KEY must be the PEM of a public key, or the path of one: ' +
      'RSA of 2048 bits or more (RS256), P-256 (ES256) or Ed25519 (EdDSA)')
  }
  return key
}

function parse (pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch {
    throw new ConfigError('JWT_PUBLIC_KEY begins like a PEM, but cannot be read as one')
  }
}
