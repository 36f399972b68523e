import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** A certificate for 127.0.0.1 that is signed with its own key: who trusts it trusts this server. In PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

// X.690: a tag, the length of what follows, and that.
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

const DAY_MS = 86_400_000

/** RFC 5280, 4.1. @param days until it ends; negative: it has */
export function makeCertificate (name: string, days = 30): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const names = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(name)))))
  const addresses = sequence(der(0x87, Buffer.from([127, 0, 0, 1])), der(0x82, Buffer.from('localhost')))
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1]), randomBytes(8)),
    ECDSA_WITH_SHA256,
    names,
    sequence(time(new Date(Date.now() - 60 * DAY_MS)), time(new Date(Date.now() + days * DAY_MS))),
    names,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(
      sequence(BASIC_CONSTRAINTS, TRUE, der(0x04, sequence(TRUE))),
      sequence(ALTERNATIVE_NAME, der(0x04, addresses))
    ))
  )
  const whole = sequence(body, ECDSA_WITH_SHA256, bits(sign('sha256', body, privateKey)))
  return { cert: pem('CERTIFICATE', whole), key: keyPem(privateKey) }
}

function pem (label: string, bytes: Buffer): string {
  return `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END ${label}-----\n`
}

const keyPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString()

/** The two files of a certificate, in a folder of their own until the test ends. */
export class CertificateFiles {
  readonly cert: string
  readonly key: string

  constructor (t: Test, content: Certificate) {
    const folder = mkdtempSync(join(tmpdir(), 'tickwire-tls-'))
    t.teardown(async () => { await rm(folder, { recursive: true, force: true }) })
    this.cert = join(folder, 'cert.pem')
    this.key = join(folder, 'key.pem')
    this.write(content)
  }

  get settings (): { readonly TLS_CERT: string, readonly TLS_KEY: string } {
    return { TLS_CERT: this.cert, TLS_KEY: this.key }
  }

  /** As programs that renew certificates do: each file is there whole, or as it was. */
  write ({ cert, key }: Partial<Certificate>): void {
    for (const [path, text] of [[this.cert, cert], [this.key, key]] as const) {
      if (text === undefined) continue
      writeFileSync(`${path}.new`, text)
      renameSync(`${path}.new`, path)
    }
  }
}
