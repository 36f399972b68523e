import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { ProtocolError, type PublicJwk } from '@tickwire/protocol'
import { test } from 'tap'
import { identityOf } from '../../src/auth/claims.js'
import { OrderSigner } from '../../src/signing/order-signer.js'
import { RequestSignatures } from '../../src/signing/request-signatures.js'
import { blocksOf } from '../helpers/docs.js'
import { listen } from '../helpers/network.js'
import { vectors } from '../helpers/signing-vectors.js'

interface Page {
  submit (url: string, order: object): Promise<Response>
  isGenuine (url: string, data: object): Promise<boolean>
}

test('docs/trading-signing.md: what it does in JavaScript, the server takes', async t => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const signer = new OrderSigner(createPrivateKey({ format: 'jwk', key: { ...vectors.keys.server } }))
  const signatures = new RequestSignatures({ required: true, windowMs: 60_000, keys: new Map() })
  let orderKey: unknown = publicKey.export({ format: 'jwk' })
  async function answer (request: IncomingMessage): Promise<unknown> {
    if (request.url === '/v1/keys') return { keys: signer.listed }
    const identity = identityOf({ sub: 'alice', exp: 1_800_000_000, order_key: orderKey })
    try {
      return await signatures.verify(identity, 'submit_order', await json(request) as Record<string, unknown>)
    } catch (error) {
      return error instanceof ProtocolError ? error.code : error
    }
  }
  const port = await listen(t, createServer((request, response) => {
    void answer(request).then(body => { response.setHeader('content-type', 'application/json').end(JSON.stringify(body)) })
  }))

  process.env['ORDER_KEY'] = JSON.stringify(privateKey.export({ format: 'jwk' }))
  t.teardown(() => { delete process.env['ORDER_KEY'] })
  const file = join(t.testdir(), 'page.mjs')
  writeFileSync(file, blocksOf('docs/trading-signing.md', 'JavaScript', 'js').join('\n'))
  const page = await import(pathToFileURL(file).href) as Page
  const url = `http://127.0.0.1:${port}`
  const submitted = async (): Promise<unknown> => await (await page.submit(url, {
    client_order_id: 'é 😀', symbol: '삼성전자', side: 'buy', order_type: 'market', quantity: '5', time_in_force: 'day'
  })).json()
  t.strictSame(await submitted(), { isLate: false })
  orderKey = { ...vectors.keys.other as PublicJwk, d: undefined }
  t.equal(await submitted(), 'forbidden', 'with the key of somebody else')
  for (const { data } of vectors.orders) t.ok(await page.isGenuine(url, data))
  for (const { name, key, data } of vectors.tampered_orders) if (key === 'server') t.notOk(await page.isGenuine(url, data), name)
})
