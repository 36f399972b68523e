import { createPrivateKey } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { test } from 'tap'
import { ConfigError } from '../../src/config.js'
import { readKeyPair } from '../../src/tls.js'
import { CertificateFiles, makeCertificate } from '../helpers/certificate.js'

async function refusal (files: CertificateFiles): Promise<string | undefined> {
  return await readKeyPair(files).then(() => undefined, (error: unknown) => {
    if (error instanceof ConfigError) return error.message
    throw error
  })
}

test('reads a certificate and its key', async t => {
  const first = makeCertificate('first')
  const files = new CertificateFiles(t, first)
  const pair = await readKeyPair(files)
  t.equal(pair.cert.toString(), first.cert)
  t.ok(Date.parse(pair.validTo) > Date.now())

  const other = makeCertificate('other')
  files.write({ cert: first.cert + other.cert })
  t.equal(await refusal(files), undefined, 'other certificates may follow it')
})

test('names the file that cannot be used, and why', async t => {
  const first = makeCertificate('first')
  const other = makeCertificate('other')
  const files = new CertificateFiles(t, first)
  const locked = createPrivateKey(first.key)
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'p' })
    .toString()
  const cases: ReadonlyArray<readonly [string, { cert?: string, key?: string }, RegExp]> = [
    [
      "another certificate's key",
      { key: other.key },
      /^TLS_KEY: .*key\.pem is not the key of the certificate in .*cert\.pem$/
    ],
    ['a certificate of another key', { cert: other.cert }, /is not the key of the certificate/],
    [
      'a key that is cut off',
      { key: first.key.slice(0, 100) },
      /^TLS_KEY: .* is not a private key in PEM without a passphrase$/
    ],
    [
      'a key with a passphrase',
      { key: locked },
      /^TLS_KEY: .* is not a private key in PEM without a passphrase$/
    ],
    [
      'a certificate that is cut off',
      { cert: first.cert.slice(0, 200) },
      /^TLS_CERT: .* does not begin with a certificate in PEM$/
    ],
    ['an empty file', { cert: '' }, /^TLS_CERT: .* does not begin with a certificate/],
    [
      'a following certificate that is cut off',
      { cert: first.cert + other.cert.slice(0, 200) },
      /^TLS_CERT: .* is cut off, or too weak$/
    ],
    ['the files the wrong way round', { cert: first.key, key: first.cert }, /^TLS_CERT: /]
  ]
  for (const [name, content, message] of cases) {
    files.write({ ...first, ...content })
    t.match(await refusal(files), message, name)
  }
  files.write(first)
  t.equal(await refusal(files), undefined)
  await rm(files.key)
  t.match(await refusal(files), /^TLS_KEY: .*key\.pem cannot be read \(ENOENT\)$/)
})
