import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConfigError } from '../config.js'
import { type VerifyingKey, verifyingKey } from './keys.js'

const BEGIN = '-----BEGIN '
const PRIVATE = /-----BEGIN [A-Z ]*PRIVATE KEY-----/

/**
 * The key of `JWT_PUBLIC_KEY`. What stands around a PEM is taken away before anybody looks at it: a library that did not know it for
 * a public key would take it for a secret, and everybody knows it.
 * @param setting a PEM, its lines broken or with `\n` for the breaks, or the path of a file with one
 * @throws ConfigError
 */
export function readPublicKey (setting: string): VerifyingKey {
  const text = setting.includes(BEGIN) ? setting.replaceAll('\\n', '\n') : readFile(setting.trim())
  const pem = text.trim()
  if (PRIVATE.test(pem)) {
    throw new ConfigError('JWT_PUBLIC_KEY holds a private key, which is no business of this server: give it the public one (openssl pkey -in private.pem -pubout)')
  }
  const key = pem.startsWith(BEGIN) ? verifyingKey(parse(pem)) : undefined
  if (key === undefined) throw new ConfigError('JWT_PUBLIC_KEY is the PEM of a public key, or the path of one: RSA of 2048 bits or more (RS256), P-256 (ES256) or Ed25519 (EdDSA)')
  return key
}

function readFile (path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError(`JWT_PUBLIC_KEY is neither a PEM nor the path of a file that can be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`)
  }
}

function parse (pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch {
    throw new ConfigError('JWT_PUBLIC_KEY begins like a PEM, and is not one that can be read')
  }
}
