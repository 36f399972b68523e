import { mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Certificate, makeCertificate as makeSelfSigned } from '../../src/cli/self-signed.js'

/** For 127.0.0.1. @param days until it ends; negative: it has */
export const makeCertificate = (name: string, days = 30): Certificate => makeSelfSigned(name, ['127.0.0.1', 'localhost'], days)

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
