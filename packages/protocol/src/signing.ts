import { decodeBase64Url, encodeBase64Url } from './base64url.js'

/**
 * Signatures of orders (PROTOCOL.md, Signing): users sign their requests, and the server signs its messages
 * of `orders`. It needs nothing but WebCrypto, which browsers and Node share; a page has it only in a secure
 * context.
 */

/** A key of WebCrypto, by whatever name the types of a platform know it. */
export type SigningKey = Parameters<typeof crypto.subtle.sign>[1]

/** A public key for Ed25519 (RFC 8037). */
export interface PublicJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid?: string
}

/** A JSON Web Key: for Ed25519, public or with its private part `d`, or the secret of HMAC-SHA256. */
export type OrderJwk = (PublicJwk & { readonly d?: string }) | {
  readonly kty: 'oct'
  readonly k: string
  readonly kid?: string
}

type Fields = Readonly<Record<string, unknown>>

const HALF = /\p{Surrogate}/u

/**
 * Returns the canonical JSON of a value (RFC 8785): no white space, and the names of an object in the order
 * of their UTF-16 code units. A member that is undefined is left out, as in JSON.
 * @throws TypeError if the value is not JSON, or holds half of a character
 */
export function canonicalJson (value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') {
    if (HALF.test(value)) throw new TypeError('a text that holds half of a character has no canonical JSON')
    return JSON.stringify(value)
  }
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${Array.from(value, canonicalJson).join(',')}]`
  if (typeof value !== 'object' || typeof (value as Fields)['toJSON'] === 'function') {
    throw new TypeError(`${typeof value === 'number' ? String(value) : typeof value} has no canonical JSON`)
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, member]) => `${canonicalJson(name)}:${canonicalJson(member)}`)
  return `{${members.join(',')}}`
}

/**
 * Returns the text that a request's signature covers.
 * @param message the request as it is sent over WebSocket, with or without `action`, `id` and `signature`
 */
export function requestText (action: string, { id, signature, ...message }: Fields): string {
  return canonicalJson({ ...message, action })
}

/** Returns the text that the signature of a message of `orders` covers. @param data its `data` */
export function orderText ({ signature, ...data }: Fields): string {
  return canonicalJson(data)
}

/**
 * Imports a key. It ignores `alg`, for which older platforms take one of the two names of Ed25519 alone.
 * @throws TypeError, or the DOMException of WebCrypto, if it is no such key
 */
export async function importOrderKey (jwk: OrderJwk, use: 'sign' | 'verify'): Promise<SigningKey> {
  if (jwk.kty === 'oct') {
    const { kty, k } = jwk
    return await crypto.subtle.importKey('jwk', { kty, k }, { name: 'HMAC', hash: 'SHA-256' }, false, [use])
  }
  const { kty, crv, x, d } = jwk
  const own = use === 'sign' && d !== undefined ? { kty, crv, x, d } : { kty, crv, x }
  return await crypto.subtle.importKey('jwk', own, 'Ed25519', false, [use])
}

/** Returns the `signature` of a request, as base64url. @param message see {@link requestText} */
export async function signRequest (key: SigningKey, action: string, message: object): Promise<string> {
  return await signText(key, requestText(action, { ...message }))
}

/** Returns whether a request has a `signature` of a key. @param message see {@link requestText} */
export async function verifyRequest (key: SigningKey, action: string, message: object): Promise<boolean> {
  const fields: Fields = { ...message }
  return await verifyText(key, requestText(action, fields), fields['signature'])
}

/** Returns the `signature` of a message of `orders`, as base64url. @param data its `data` */
export async function signOrder (key: SigningKey, data: object): Promise<string> {
  return await signText(key, orderText({ ...data }))
}

/**
 * Returns whether a message of `orders` has a `signature` of one of the server's keys.
 * @param keys the keys of `GET /v1/keys`; it lists former ones, too, and a message does not say which it is
 * @param data the `data` of the message, with decimals as strings
 */
export async function verifyOrder (keys: readonly SigningKey[], data: object): Promise<boolean> {
  const fields: Fields = { ...data }
  const text = orderText(fields)
  const verdicts = await Promise.all(keys.map(async key => await verifyText(key, text, fields['signature'])))
  return verdicts.includes(true)
}

const encoder = new TextEncoder()

async function signText (key: SigningKey, text: string): Promise<string> {
  const bytes = await crypto.subtle.sign(algorithmOf(key), key, encoder.encode(text))
  return encodeBase64Url(new Uint8Array(bytes))
}

async function verifyText (key: SigningKey, text: string, signature: unknown): Promise<boolean> {
  const bytes = typeof signature === 'string' ? decodeBase64Url(signature) : undefined
  if (bytes === undefined) return false
  return await crypto.subtle.verify(algorithmOf(key), key, bytes, encoder.encode(text))
}

/** Returns the one algorithm of a key. @throws TypeError if orders are not signed with such keys */
function algorithmOf ({ algorithm }: SigningKey): 'Ed25519' | 'HMAC' {
  const { name, hash } = algorithm as { readonly name: string, readonly hash?: { readonly name: string } }
  if (name === 'Ed25519') return name
  if (name === 'HMAC' && hash?.name === 'SHA-256') return name
  throw new TypeError(`orders are signed with Ed25519 or HMAC-SHA256, not with ${name}`)
}
