import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { readPublicKey } from '../../src/auth/public-key.js'
import { keyPair } from '../helpers/jwt.js'

const pem = (
  key: ReturnType<typeof generateKeyPairSync>['publicKey'],
  type: 'spki' | 'pkcs1' = 'spki'
): string => key.export({ type, format: 'pem' }).toString()

test('takes the algorithm from the type of the key', async t => {
  for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
    const { pem } = keyPair(algorithm)
    t.strictSame(readPublicKey(pem), { algorithm, key: pem })
  }
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072 })
  t.strictSame(
    readPublicKey(pem(publicKey, 'pkcs1')),
    { algorithm: 'RS256', key: pem(publicKey) },
    'in an older form'
  )
})

test('reads a PEM whatever stands around it', async t => {
  const { pem } = keyPair('RS256')
  const expected = { algorithm: 'RS256', key: pem }
  const forms = {
    'white space before it': ` \n\t${pem}`,
    'white space after it': `${pem}\n \n`,
    'the mark of an editor': `\uFEFF${pem}`,
    'no line end': pem.trim(),
    'line ends of Windows': pem.replaceAll('\n', '\r\n'),
    'line ends of a file of settings': pem.replaceAll('\n', '\\n')
  }
  for (const [name, text] of Object.entries(forms)) t.strictSame(readPublicKey(text), expected, name)
  const file = join(t.testdir(), 'tokens.pem')
  for (const text of [pem, ` \n${pem}`, `\uFEFF${pem}`]) {
    writeFileSync(file, text)
    t.strictSame(readPublicKey(file), expected, 'in a file')
    t.strictSame(readPublicKey(` ${file}\n`), expected)
  }
})

test('refuses what is no public key, and does not show it', async t => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const secret = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const file = join(t.testdir({ 'private.pem': secret, 'text.txt': 'hello' }), 'private.pem')
  const cases: ReadonlyArray<readonly [string, string, RegExp]> = [
    ['a private key', secret, /holds a private key/],
    ['after white space', ` \n${secret}`, /holds a private key/],
    ['in its older form', pair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), /holds a private key/],
    ['after the public key', `${pem(pair.publicKey)}${secret}`, /holds a private key/],
    ['in a file', file, /holds a private key/],
    ['a file that is not there', join(file, '..', 'nothing.pem'), /neither a PEM nor the path of a file that can be read \(ENOENT\)/],
    ['a file of something else', join(file, '..', 'text.txt'), /must be the PEM of a public key, or the path of one/],
    ['text before it', `key: ${pem(pair.publicKey)}`, /must be the PEM of a public key, or the path of one/],
    ['half of one', pem(pair.publicKey).slice(0, 100), /begins like a PEM/],
    ['RSA that is too short', pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), /RSA of 2048 bits or more/],
    ['RSA for PSS only', pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey), /RSA of 2048 bits or more/],
    ['another curve', pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey), /P-256/],
    ['a curve of as many bits', pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey), /P-256/],
    ['Ed448', pem(generateKeyPairSync('ed448').publicKey), /Ed25519/],
    ['a key for key agreement', pem(generateKeyPairSync('x25519').publicKey), /Ed25519/]
  ]
  for (const [name, text, message] of cases) {
    try {
      readPublicKey(text)
      t.fail(name)
    } catch (error) {
      t.match(error, { name: 'ConfigError', message }, name)
      t.notMatch(String(error), secret.split('\n')[1]!)
    }
  }
})
