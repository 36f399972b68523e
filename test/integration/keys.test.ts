import { generateKeyPairSync } from 'node:crypto'
import { test } from 'tap'
import { importOrderKey, type PublicJwk, verifyOrder } from '@tickwire/protocol'
import { readOrderSigner } from '../../src/signing/order-signer.js'
import { startServer } from '../helpers/server.js'
import { vectors } from '../helpers/signing-vectors.js'

const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

test('gives anybody the keys that verify its orders, the same on each server', async t => {
  const settings = { ORDER_SIGNING_KEY: pem, AUTH: 'required' } as const
  const servers = [await startServer(t, settings), await startServer(t, settings)]
  const answers = await Promise.all(servers.map(async ({ origin }) => await fetch(`${origin}/v1/keys`)))
  for (const { status, headers } of answers) {
    t.equal(status, 200)
    t.match(headers.get('content-type'), /^application\/jwk-set\+json\b/)
    t.equal(headers.get('cache-control'), 'public, max-age=300')
  }
  const [one, other] = await Promise.all(answers.map(async answer => await answer.json()))
  t.strictSame(one, other)
  t.notMatch(JSON.stringify(one), /"d"/, 'nothing of it is private')
  const { keys: jwks } = one as { keys: PublicJwk[] }
  t.equal(jwks.length, 1)

  const keys = await Promise.all(jwks.map(jwk => importOrderKey(jwk, 'verify')))
  const { data } = vectors.orders[0]!
  t.ok(await verifyOrder(keys, { ...data, signature: readOrderSigner(pem).sign(data) }))
  t.notOk(await verifyOrder(keys, data), 'a message that another server signed')
  t.equal((await fetch(`${servers[0]!.origin}/v1/keys?kid=a`)).status, 400)
})

test('has no keys if it signs nothing', async t => {
  const { origin } = await startServer(t)
  t.strictSame(await (await fetch(`${origin}/v1/keys`)).json(), { keys: [] })
})

test('does not start with keys that it cannot use, and says nothing of them', async t => {
  const half = pem.slice(0, 60)
  await t.rejects(startServer(t, { ORDER_SIGNING_KEY: half }), { message: /^ORDER_SIGNING_KEY must be the PEM/ })
  await t.rejects(startServer(t, { ORDER_KEYS: '/nowhere/keys.json' }), { message: /^ORDER_KEYS is not the path/ })
})
