import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import {
  canonicalJson, importOrderKey, type OrderJwk, orderText, requestText, signOrder, signRequest, verifyOrder,
  verifyRequest
} from '@tickwire/protocol'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { test } from 'tap'
import { ROOT } from '../helpers/root.js'
import { vectors } from '../helpers/signing-vectors.js'

test('has the vectors that their script writes', async () => {
  execFileSync(process.execPath, [join(ROOT, 'scripts/signing-vectors.js'), '--check'], { stdio: 'inherit' })
})

test('writes canonical JSON as RFC 8785 does', async t => {
  for (const { name, json, canonical } of vectors.canonical) {
    t.equal(canonicalJson(JSON.parse(json)), canonical, name)
  }
  t.equal(
    vectors.canonical[0]!.canonical,
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    'which the RFC itself says of its example'
  )
  fc.assert(fc.property(fc.jsonValue(), value => canonicalJson(value) === canonicalize(value)))
  t.equal(canonicalJson({ a: undefined, b: 1 }), '{"b":1}', 'a member that is undefined is none')
})

test('has no canonical JSON for what is no JSON', async t => {
  for (const { name, json } of vectors.without_canonical) {
    t.throws(() => canonicalJson(JSON.parse(json)), TypeError, name)
  }
  const others: readonly unknown[] = [undefined, [undefined], new Array(1), NaN, Infinity, 1n, Symbol('a'), () => 1, new Date(0), { a: () => 1 }]
  for (const value of others) t.throws(() => canonicalJson(value), TypeError, typeof value)
})

test('signs requests and orders as the vectors do, and verifies them', async t => {
  for (const { name, key, action, message, signed } of vectors.requests) {
    const jwk = vectors.keys[key]
    t.equal(requestText(action, message), signed, name)
    t.equal(await signRequest(await importOrderKey(jwk, 'sign'), action, message), message['signature'], name)
    t.ok(await verifyRequest(await importOrderKey(jwk, 'verify'), action, message), name)
  }
  const other = await importOrderKey(vectors.keys.other, 'verify')
  for (const { name, key, data, signed } of vectors.orders) {
    const jwk = vectors.keys[key]
    const server = await importOrderKey(jwk, 'verify')
    t.equal(orderText(data), signed, name)
    t.equal(await signOrder(await importOrderKey(jwk, 'sign'), data), data.signature, name)
    t.ok(await verifyOrder([server], data), name)
    t.ok(await verifyOrder([other, server], data), 'whichever of the keys it is')
    t.notOk(await verifyOrder([], data), 'no key')
  }
})

test('refuses what was tampered with', async t => {
  for (const { name, key, action, message } of vectors.tampered_requests) {
    t.notOk(await verifyRequest(await importOrderKey(vectors.keys[key], 'verify'), action, message), name)
  }
  for (const { name, key, data } of vectors.tampered_orders) {
    t.notOk(await verifyOrder([await importOrderKey(vectors.keys[key], 'verify')], data), name)
  }
})

test('takes keys whatever they say of their algorithm, and no other keys', async t => {
  const { client } = vectors.keys
  const { key, action, message } = vectors.requests[0]!
  for (const alg of ['EdDSA', 'Ed25519']) {
    const named: OrderJwk = { ...vectors.keys[key], ...{ alg, use: 'sig', kid: 'a' } }
    t.ok(await verifyRequest(await importOrderKey(named, 'verify'), action, message), alg)
  }
  await t.rejects(importOrderKey({ ...client, x: 'AAAA' } as OrderJwk, 'verify'))
  await t.rejects(importOrderKey({ ...client, crv: 'X25519' } as unknown as OrderJwk, 'verify'))
  const weak = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-1' }, false, ['sign'])
  await t.rejects(signRequest(weak, action, message), /Ed25519 or HMAC-SHA256, not with HMAC/)
  const curve = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
  await t.rejects(signRequest(curve.privateKey, action, message), /Ed25519 or HMAC-SHA256, not with ECDSA/)
})
