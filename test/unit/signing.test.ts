import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Order, orderText, type PublicJwk, requestText } from '@tickwire/protocol'
import { test } from 'tap'
import { claimsOf, faultOfClaims, identityOf } from '../../src/auth/claims.js'
import type { Identity } from '../../src/auth/identity.js'
import { loadConfig } from '../../src/config.js'
import { openSigning } from '../../src/signing/open-signing.js'
import { readOrderKeys } from '../../src/signing/order-keys.js'
import { readOrderSigner } from '../../src/signing/order-signer.js'
import { RequestSignatures } from '../../src/signing/request-signatures.js'
import { type KeyName, vectors } from '../helpers/signing-vectors.js'

type Fields = Readonly<Record<string, unknown>>

const { keys } = vectors
const SIGNED_AT = Date.parse('2026-11-29T14:30:00.123Z')
const publicPart = (name: Exclude<KeyName, 'hmac'>): PublicJwk => {
  const { kty, crv, x } = keys[name] as PublicJwk
  return { kty, crv, x }
}
const fileOf = (folder: string, set: unknown): string => {
  const path = join(folder, 'keys.json')
  writeFileSync(path, typeof set === 'string' ? set : JSON.stringify(set))
  return path
}
const ed25519 = { ...publicPart('client'), kid: 'desk-7', use: 'sig', alg: 'EdDSA' }
const hmac = { ...keys.hmac as { kty: 'oct', k: string }, kid: 'desk-8', alg: 'HS256' }
const SET = { keys: [ed25519, hmac] }

interface Given {
  readonly required?: boolean
  readonly age?: number
  readonly found?: ReadonlyMap<string, KeyObject>
}
const signatures = ({ required = false, age = 0, found = new Map() }: Given = {}): RequestSignatures =>
  new RequestSignatures({ required, windowMs: 5000, keys: found, now: () => SIGNED_AT + age })
/** What a token's `order_key` makes of its user. */
const identity = (orderKey: unknown): Identity => identityOf({ sub: 'alice', exp: 1_800_000_000, order_key: orderKey })
const [genuine] = vectors.requests
/** The order of the vectors with another time, or none. */
function signedAt (time: unknown, key: KeyObject): Record<string, unknown> {
  const { signature, timestamp, ...untimed } = genuine!.message
  const message = time === undefined ? untimed : { ...untimed, timestamp: time }
  return { ...message, signature: sign(null, Buffer.from(requestText('submit_order', message)), key).toString('base64url') }
}

test('takes the requests of the vectors, by a key of the token and by the name of a key of the server', async t => {
  const found = readOrderKeys(fileOf(t.testdir(), SET))
  for (const { name, key, action, message } of vectors.requests) {
    const byName = identity(key === 'client' ? 'desk-7' : 'desk-8')
    const at = (): number => Date.parse(String(message['timestamp']))
    const verifier = new RequestSignatures({ required: true, windowMs: 5000, keys: found, now: at })
    t.strictSame(await verifier.verify(byName, action, message), { isLate: false }, name)
    if (key !== 'client') continue
    t.strictSame(await verifier.verify(identity(publicPart('client')), action, message), { isLate: false }, name)
  }
})

test('refuses what was tampered with, was not signed, or was signed by somebody else', async t => {
  const found = readOrderKeys(fileOf(t.testdir(), SET))
  const forbidden = { name: 'ProtocolError', code: 'forbidden' }
  for (const { name, key, action, message } of vectors.tampered_requests) {
    await t.rejects(signatures({ found }).verify(identity(key === 'client' ? 'desk-7' : 'desk-8'), action, message), forbidden, name)
  }
  const { action, message } = genuine!
  const { signature, ...unsigned } = message
  const cases: ReadonlyArray<readonly [string, unknown, Fields, RegExp, boolean?]> = [
    ['the key of somebody else', publicPart('other'), message, /not that of the request by the key of the token/],
    ['another kid', 'desk-8', message, /not that of the request by the key of the token/],
    ['an unknown kid', 'desk-9', message, /order_key of the token is not among the keys/],
    ['a kid that every object has', 'constructor', message, /order_key of the token is not among the keys/],
    ['no signature, with a key', 'desk-7', unsigned, /must be signed/],
    ['no signature, with an unknown kid', 'desk-9', unsigned, /order_key of the token is not among the keys/],
    ['no signature and no key, where all must sign', undefined, unsigned, /token has no order_key/, true],
    ['a signature that nobody can verify', undefined, message, /token has no order_key/],
    ['a signature that is no text', 'desk-7', { ...message, signature: 7 }, /must be signed/]
  ]
  for (const [name, orderKey, request, text, required = false] of cases) {
    const verifying = signatures({ found, required }).verify(identity(orderKey), action, request)
    await t.rejects(verifying, { ...forbidden, message: text }, name)
  }
  t.strictSame(await signatures().verify(identity(undefined), action, unsigned), { isLate: false }, 'nobody must sign who has no key')
  t.strictSame(await signatures({ age: 1e9 }).verify(identity(undefined), action, unsigned), { isLate: false }, 'nor at any time')
})

test('takes a request for five seconds, from a second before its time', async t => {
  const { action, message } = genuine!
  const user = identity(publicPart('client'))
  const ages = [[-1000, false], [0, false], [5000, false], [5001, true], [7 * 86_400_000, true]] as const
  for (const [age, isLate] of ages) {
    t.strictSame(await signatures({ age }).verify(user, action, message), { isLate }, `${age} ms`)
  }
  const early = { code: 'bad_request', message: /still to come: a clock may be at most 1000 ms ahead/ }
  for (const age of [-1001, -86_400_000]) await t.rejects(signatures({ age }).verify(user, action, message), early, `${age} ms`)
  await t.rejects(
    signatures({ age: 1e9 }).verify(user, action, { ...message, quantity: '6' }), { code: 'forbidden' },
    'a late request is known by its signature alone'
  )
})

test('demands a time of a signed request, whatever its form', async t => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const user = identity(publicKey.export({ format: 'jwk' }))
  const verifying = (time: unknown): Promise<unknown> => signatures().verify(user, 'submit_order', signedAt(time, privateKey))
  for (const time of [undefined, SIGNED_AT, '2026-11-29 14:30:00.123', '2026-11-29T14:30:00.123', '2026-02-30T14:30:00Z', 'now', '']) {
    await t.rejects(verifying(time), { code: 'bad_request', message: /needs a 'timestamp'/ }, String(time))
  }
  for (const time of ['2026-11-29T14:30:00Z', '2026-11-29T23:30:00.123456789+09:00', '2026-11-29T14:29:60Z']) {
    t.strictSame(await verifying(time), { isLate: false }, time)
  }
})

test('takes a key from a token in its public form alone', async t => {
  const { d } = keys.client as { d?: string }
  const { k } = hmac
  const jwk = publicPart('client')
  t.strictSame(identity({ ...jwk, kid: 'a', use: 'sig', alg: 'EdDSA' }).orderKey, jwk)
  t.strictSame(identity('desk-7').orderKey, 'desk-7')
  t.notOk('orderKey' in identity(undefined))
  for (const orderKey of [undefined, 'desk-7', jwk]) {
    t.strictSame(identityOf(claimsOf(identity(orderKey))), identity(orderKey), 'a ticket stands for it, too')
  }
  const wrong: ReadonlyArray<readonly [string, unknown]> = [
    ['a secret', { kty: 'oct', k }],
    ['a secret that says it is public', { ...jwk, kty: 'oct', k }],
    ['a private key', { ...jwk, d }],
    ['a shorter key', { ...jwk, x: jwk.x.slice(1) }],
    ['another curve', { ...jwk, crv: 'X25519' }],
    ['RSA', { kty: 'RSA', n: 'AQAB', e: 'AQAB' }],
    ['a kid without characters', ''],
    ['a kid that is too long', 'a'.repeat(257)],
    ['a list', [jwk]],
    ['null', null],
    ['a number', 7]
  ]
  for (const [name, orderKey] of wrong) {
    t.throws(() => identity(orderKey), { code: 'unauthorized', message: /^the order_key of the token is malformed/ }, name)
    t.match(faultOfClaims({ sub: 'alice', order_key: orderKey }, 60), /^'order_key' must be a public key .* or the kid/, name)
  }
  t.equal(faultOfClaims({ sub: 'alice', order_key: jwk }, 60), undefined)
})

test('reads the keys of users from a file, and shows none that it refuses', async t => {
  const folder = t.testdir()
  t.same([...readOrderKeys(fileOf(folder, SET)).keys()], ['desk-7', 'desk-8'])
  t.equal(readOrderKeys(fileOf(folder, { keys: [] })).size, 0)
  const { d } = keys.client as { d?: string }
  const cases: ReadonlyArray<readonly [string, unknown, RegExp]> = [
    ['no JSON', `{"keys":[{"k":"${hmac.k}"`, /the file of a set of keys as JSON/],
    ['no set', [hmac], /the file of a set of keys: \{"keys"/],
    ['a private key', { keys: [hmac, { ...ed25519, d }] }, /key 2 of the set is a private key/],
    ['a short secret', { keys: [{ ...hmac, k: hmac.k.slice(0, 42) }] }, /key 1 of the set is shorter than 32 bytes/],
    ['no kid', { keys: [{ ...hmac, kid: undefined }] }, /key 1 of the set cannot be used: it must be, with a kid/],
    ['two of one kid', { keys: [ed25519, { ...hmac, kid: 'desk-7' }] }, /key 2 of the set has the kid of another/],
    ['another algorithm', { keys: [{ ...hmac, alg: 'HS512' }] }, /key 1 of the set cannot be used/],
    ['the algorithm of the other kind', { keys: [{ ...ed25519, alg: 'HS256' }] }, /key 1 of the set cannot be used/],
    ['a key for encryption', { keys: [{ ...ed25519, use: 'enc' }] }, /key 1 of the set cannot be used/],
    ['RSA', { keys: [{ kty: 'RSA', kid: 'a', n: 'AQAB', e: 'AQAB' }] }, /key 1 of the set cannot be used/],
    ['null', { keys: [null] }, /key 1 of the set cannot be used/]
  ]
  for (const [name, set, message] of cases) {
    try {
      readOrderKeys(fileOf(folder, set))
      t.fail(name)
    } catch (error) {
      t.match(error, { name: 'ConfigError', message }, name)
      t.notMatch(String(error), hmac.k.slice(0, 16), name)
    }
  }
  t.throws(() => readOrderKeys(join(folder, 'nothing.json')), { name: 'ConfigError', message: /not the path of a file that can be read \(ENOENT\)/ })
})

const pemOf = (key: KeyObject): string => key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString()
const isSigned = (data: Order, jwk: PublicJwk): boolean => {
  const key = createPublicKey({ format: 'jwk', key: { ...jwk } })
  return verify(null, Buffer.from(orderText(data)), key, Buffer.from(data.signature ?? '', 'base64url'))
}

test('signs orders as the vectors do, and lists its key under one name everywhere', async t => {
  const own = pemOf(createPrivateKey({ format: 'jwk', key: { ...keys.server } }))
  const file = join(t.testdir(), 'signing.pem')
  writeFileSync(file, `\n${own}`)
  for (const setting of [own, own.replaceAll('\n', '\\n'), file, ` ${file}\n`]) {
    const signer = readOrderSigner(setting)
    for (const { name, data } of vectors.orders) t.equal(signer.sign(data), data.signature, name)
    t.match(signer.listed, [{ ...publicPart('server'), use: 'sig', alg: 'EdDSA' }])
    t.notMatch(JSON.stringify(signer.listed), /"d"/)
  }
  const known = pemOf(createPrivateKey({ format: 'jwk', key: { ...keys.client } }))
  t.equal(readOrderSigner(known).listed[0]!.kid, 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k', 'RFC 8037, A.3')
})

test('lists former keys behind its own, and signs with its own', async t => {
  const [former, present] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')]
  const { data } = vectors.orders[0]!
  const before = { ...data, signature: readOrderSigner(pemOf(former.privateKey)).sign(data) }
  for (const older of [former.privateKey, former.publicKey]) {
    const signer = readOrderSigner(`${pemOf(present.privateKey)}\n${pemOf(older)}`)
    t.equal(signer.listed.length, 2)
    const [own, listed] = [signer.listed[0]!, signer.listed[1]!]
    const now = { ...data, signature: signer.sign(data) }
    t.same([isSigned(now, own), isSigned(now, listed)], [true, false])
    t.same([isSigned(before, own), isSigned(before, listed)], [false, true])
  }
})

test('refuses another key to sign orders with, and does not show it', async t => {
  const pair = generateKeyPairSync('ed25519')
  const own = pemOf(pair.privateKey)
  const folder = t.testdir({ 'text.txt': 'hello' })
  const cases: ReadonlyArray<readonly [string, string]> = [
    ['a public key', pemOf(pair.publicKey)],
    ['a public key first', `${pemOf(pair.publicKey)}${own}`],
    ['RSA', pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)],
    ['X25519', pemOf(generateKeyPairSync('x25519').privateKey)],
    ['RSA behind it', `${own}${pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)}`],
    ['half of one behind it', `${own}${own.slice(0, 60)}`],
    ['a passphrase', pair.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'a' }).toString()],
    ['half of one', own.slice(0, 60)],
    ['a file of something else', join(folder, 'text.txt')]
  ]
  for (const [name, setting] of cases) {
    try {
      readOrderSigner(setting)
      t.fail(name)
    } catch (error) {
      t.match(error, { name: 'ConfigError', message: /^ORDER_SIGNING_KEY must be the PEM of a private key for Ed25519/ }, name)
      t.notMatch(String(error), own.split('\n')[1]!, name)
    }
  }
  t.throws(() => readOrderSigner(join(folder, 'nothing.pem')), { name: 'ConfigError', message: /^ORDER_SIGNING_KEY is neither a PEM nor the path/ })
})

test('opens what the settings ask for', async t => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const file = fileOf(t.testdir(), { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'desk-9' }] })
  const { action, message } = genuine!
  const { signature, ...unsigned } = message
  const none = openSigning(loadConfig({}))
  t.notOk('signer' in none)
  t.strictSame(await none.requests.verify(identity(undefined), action, unsigned), { isLate: false })
  const given = { ORDER_SIGNING: 'required', ORDER_KEYS: file, ORDER_SIGNING_KEY: pemOf(privateKey) }
  const minuteOld = signedAt(new Date(Date.now() - 60_000).toISOString(), privateKey)
  for (const [ORDER_WINDOW_MS, isLate] of [['30000', true], ['3600000', false]] as const) {
    const { requests, signer } = openSigning(loadConfig({ ...given, ORDER_WINDOW_MS }))
    await t.rejects(requests.verify(identity(undefined), action, unsigned), { code: 'forbidden' })
    t.strictSame(await requests.verify(identity('desk-9'), action, minuteOld), { isLate }, ORDER_WINDOW_MS)
    t.equal(signer?.listed.length, 1)
  }
})
