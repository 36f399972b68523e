import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'

/** A certificate signed with its own key, in PEM: a client that trusts it trusts this server and no other. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

// X.690: a tag, the length of the content, and the content.
function der (tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), content])
}
const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts)
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const bits = (content: Buffer): Buffer => der(0x03, Buffer.from([0]), content)
const time = (date: Date): Buffer => der(0x18, Buffer.from(date.toISOString().replace(/[-:T]|\.\d+/g, '')))

const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))
const COMMON_NAME = oid('550403')
const BASIC_CONSTRAINTS = oid('551d13')
const ALTERNATIVE_NAME = oid('551d11')
const TRUE = der(0x01, Buffer.from([0xff]))
const DNS_NAME = 0x82
const IP_ADDRESS = 0x87

const DAY_MS = 86_400_000
/** How far back it is valid, so that a client whose clock is behind accepts it. */
const SINCE_DAYS = 60

/** Returns the bytes of an IPv4 or IPv6 address. */
function addressBytes (address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::') as [string, string?]
  const groups = (text: string): string[] => text === '' ? [] : text.split(':')
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const all = tail === undefined ? before : [...before, ...zeros, ...after]
  return Buffer.from(all.map(group => group.padStart(4, '0')).join(''), 'hex')
}

/**
 * Makes a certificate (RFC 5280, 4.1).
 * @param name the name of its subject, as a browser shows it
 * @param hosts the names and addresses for which it is valid
 * @param days its remaining days; negative: it has ended
 */
export function makeCertificate (name: string, hosts: readonly string[], days: number): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const names = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(name)))))
  const alternatives = sequence(...hosts.map(host =>
    isIP(host) === 0 ? der(DNS_NAME, Buffer.from(host)) : der(IP_ADDRESS, addressBytes(host))))
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1]), randomBytes(8)),
    ECDSA_WITH_SHA256,
    names,
    sequence(time(new Date(Date.now() - SINCE_DAYS * DAY_MS)), time(new Date(Date.now() + days * DAY_MS))),
    names,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(
      sequence(BASIC_CONSTRAINTS, TRUE, der(0x04, sequence(TRUE))),
      sequence(ALTERNATIVE_NAME, der(0x04, alternatives))
    ))
  )
  const whole = sequence(body, ECDSA_WITH_SHA256, bits(sign('sha256', body, privateKey)))
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { cert: pem('CERTIFICATE', whole), key }
}

function pem (label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}
