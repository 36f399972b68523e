import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { canonicalJson, type Order, orderText, type PublicJwk } from '@tickwire/protocol'
import { PEM_BEGIN, readPem } from '../auth/pem.js'
import { ConfigError } from '../config.js'

/** A key with which users verify messages of `orders`, as `GET /v1/keys` has it. */
export type ListedKey = Required<PublicJwk> & { readonly use: 'sig', readonly alg: 'EdDSA' }

/** Signs messages of `orders` (PROTOCOL.md, Signing). One order always gets one signature. */
export class OrderSigner {
  /** What verifies its signatures, and those of former keys. */
  readonly listed: readonly ListedKey[]

  /** @param former public keys whose signatures are still read */
  constructor (private readonly privateKey: KeyObject, former: readonly KeyObject[] = []) {
    this.listed = [createPublicKey(privateKey), ...former].map(listedKey)
  }

  /** Returns the `signature` of an order. @param data the `data` of its message */
  sign (data: Order): string {
    return sign(null, Buffer.from(orderText(data)), this.privateKey).toString('base64url')
  }
}

/** Names a key by its thumbprint (RFC 7638), so that all servers with the key give it one name. */
function listedKey (key: KeyObject): ListedKey {
  const { x = '' } = key.export({ format: 'jwk' })
  const own = { kty: 'OKP', crv: 'Ed25519', x } as const
  const kid = createHash('sha256').update(canonicalJson(own)).digest('base64url')
  return { ...own, kid, use: 'sig', alg: 'EdDSA' }
}

const BLOCK = /-----BEGIN ([A-Z ]+)-----[^-]*-----END \1-----/g
const ALLOWED = 'the PEM of a private key for Ed25519 without a passphrase, or the path of one ' +
  '(openssl genpkey -algorithm ed25519); keys behind it are former ones'

/**
 * Reads the key with which the server signs. Keys behind it in the PEM, private or public, sign nothing:
 * users still verify with them what was signed before.
 * @param setting `ORDER_SIGNING_KEY`: a PEM, whose line breaks may be written as `\n`, or the path of a file
 * @throws ConfigError, which shows no key
 */
export function readOrderSigner (setting: string): OrderSigner {
  const text = readPem('ORDER_SIGNING_KEY', setting)
  const [first = '', ...others] = text.match(BLOCK) ?? []
  try {
    const own = createPrivateKey(first)
    const former = others.map(pem => createPublicKey(pem))
    const isWhole = text.split(PEM_BEGIN).length - 1 === 1 + others.length
    if (isWhole && [own, ...former].every(key => key.asymmetricKeyType === 'ed25519')) {
      return new OrderSigner(own, former)
    }
  } catch {}
  throw new ConfigError(`ORDER_SIGNING_KEY must be ${ALLOWED}`)
}
