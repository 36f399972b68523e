import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import canonicalize from 'canonicalize'
import { commands, type PublicJwk, topicKey } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { orderIdOf } from '../../src/trading-requests/order-id.js'
import { type Message, openWebSocket, until } from '../helpers/clients.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { vectors } from '../helpers/signing-vectors.js'

/** PROTOCOL.md, Signing: signed requests are taken and refused alike over WebSocket and REST. */

type Claims = Readonly<Record<string, unknown>>
type Request = { readonly action: string } & Readonly<Record<string, unknown>>
/** Asks for something, and returns what the answer says: its `type`, or the `code` of the refusal. */
type Way = (node: TestServer, claims: Claims, request: Request) => Promise<string>

const said = ({ type, code }: Message): string => String(type === 'error' ? code : type)

async function overRest (node: TestServer, claims: Claims, request: Request): Promise<string> {
  const { action, order_id: id, ...fields } = request
  const headers = { authorization: `Bearer ${node.token(claims)}` }
  if (action === 'cancel_order') {
    const query = new URLSearchParams(fields as Record<string, string>).toString()
    const response = await fetch(`${node.origin}/v1/orders/${String(id)}?${query}`, { method: 'DELETE', headers })
    return said(await response.json() as Message)
  }
  const [method, path] = action === 'replace_order' ? ['PATCH', `/v1/orders/${String(id)}`] : ['POST', '/v1/orders']
  const response = await fetch(node.origin + path, {
    method, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(fields)
  })
  return said(await response.json() as Message)
}

async function overWebSocket (node: TestServer, claims: Claims, request: Request): Promise<string> {
  let answer: Message | undefined
  const client = openWebSocket(node.origin, `token=${node.token(claims)}`, 'tickwire.v1.json', {
    onMessage: message => { if (message.id === 1) answer = message },
    onCursor: () => {}
  })
  await until('it is open', () => client.socket.readyState === 1)
  client.send({ ...request, id: 1 })
  await until('it is answered', () => answer !== undefined)
  client.cut()
  return said(answer!)
}

const ways: ReadonlyArray<readonly [string, Way]> = [['REST', overRest], ['WebSocket', overWebSocket]]

/** Signs by a library and by OpenSSL, not by what the server verifies with. */
function signed (key: KeyObject, request: Request, age = 0): Request {
  const timed = { ...request, timestamp: new Date(Date.now() - age).toISOString() }
  return { ...timed, signature: sign(null, Buffer.from(canonicalize(timed)!), key).toString('base64url') }
}

const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const other = createPrivateKey({ format: 'jwk', key: { ...vectors.keys.other } })
const JWK = publicKey.export({ format: 'jwk' })
const { kty, crv, x } = vectors.keys.other as PublicJwk
const OTHER_JWK = { kty, crv, x }
const mine = { trade: true, order_key: JWK }
const MINUTE_MS = 60_000

let ids = 0
const order = (): Request => ({
  action: 'submit_order', client_order_id: `é 😀 ${++ids}`, symbol: '삼성전자', side: 'buy', order_type: 'limit', quantity: '5', limit_price: '185.50', time_in_force: 'gtc'
})

/** Returns how many requests of a user the log has: what was refused is not among them. */
async function countOf (node: TestServer, user: string): Promise<number> {
  const topic = topicKey({ channel: commands.name, user })
  return (await node.parts.log.read(topic, { sequence: 0 }, 10_000)).entries.length
}

/** The settings of both logs. */
async function backends (t: Test): Promise<Array<readonly [string, object]>> {
  if (redisProgram === undefined) return [['memory', {}]]
  const redis = await RedisServer.start()
  t.teardown(async () => { await redis.close() })
  return [['memory', {}], ['Redis', { REDIS_URL: redis.url }]]
}

test('takes and refuses signed requests alike over REST and WebSocket', { timeout: 200_000 }, async t => {
  const file = join(t.testdir(), 'keys.json')
  writeFileSync(file, JSON.stringify({ keys: [{ ...JWK, kid: 'desk-7' }, { ...vectors.keys.hmac, kid: 'desk-8' }] }))
  for (const [log, settings] of await backends(t)) {
    const node = await startServer(t, {
      ...settings, ORDER_KEYS: file, ORDER_WINDOW_MS: 30_000, RATE_LIMIT_ORDERS: 100_000
    })
    for (const [way, ask] of ways) {
      const is = async (name: string, expected: string, claims: Claims, request: Request): Promise<void> => {
        t.equal(await ask(node, claims, request), expected, `${log}, ${way}: ${name}`)
      }
      const before = await countOf(node, 'alice')
      const taken = signed(privateKey, order())
      await is('by the key of the token', 'order_accepted', mine, taken)
      await is('by the name of a key', 'order_accepted', { ...mine, order_key: 'desk-7' }, signed(privateKey, order()))
      await is('replayed', 'order_accepted', mine, taken)
      await is('replayed by another user', 'forbidden', { ...mine, sub: 'mallory', order_key: OTHER_JWK }, taken)
      await is('tampered', 'forbidden', mine, { ...signed(privateKey, order()), quantity: '50' })
      await is('of the wrong key', 'forbidden', mine, signed(other, order()))
      await is('of the wrong kind of key', 'forbidden', { ...mine, order_key: 'desk-8' }, signed(privateKey, order()))
      await is('of an unknown key', 'forbidden', { ...mine, order_key: 'desk-9' }, signed(privateKey, order()))
      await is('of nobody', 'forbidden', { trade: true }, signed(privateKey, order()))
      await is('not signed', 'forbidden', mine, order())
      await is('late', 'bad_request', mine, signed(privateKey, order(), MINUTE_MS))
      await is('early', 'bad_request', mine, signed(privateKey, order(), -MINUTE_MS))
      await is('without a key', 'order_accepted', { trade: true, sub: 'bob' }, order())

      const named = { order_id: orderIdOf('alice', String(taken['client_order_id'])), request_id: `${++ids}` }
      const cancel = { action: 'cancel_order', ...named }
      const replace = { action: 'replace_order', ...named, request_id: `${++ids}`, quantity: '7' }
      for (const request of [replace, cancel]) {
        const { action } = request
        await is(`${action}, not signed`, 'forbidden', mine, request)
        await is(`${action}, of another order`, 'forbidden', mine, { ...signed(privateKey, { ...request, order_id: 'a' }), order_id: named.order_id })
        await is(`${action}, late`, 'bad_request', mine, signed(privateKey, request, MINUTE_MS))
        const theirs = { ...mine, sub: 'mallory', order_key: OTHER_JWK }
        await is(`${action}, of another user's order`, 'not_found', theirs, signed(other, request))
        await is(action, 'order_accepted', mine, signed(privateKey, request))
      }
      t.equal(await countOf(node, 'alice') - before, 4, `${log}, ${way}: the log has what was taken, once`)
      t.equal(await countOf(node, 'mallory'), 0)
    }
  }
})

test('answers a signed request again at any age, and takes it once', { timeout: 200_000 }, async t => {
  const node = await startServer(t, { ORDER_SIGNING: 'required', RATE_LIMIT_ORDERS: 100_000 })
  const requests: Request[] = []
  for (const [way, ask] of ways) {
    const request = signed(privateKey, order())
    t.equal(await ask(node, mine, request), 'order_accepted', way)
    requests.push(request)
  }
  await until('they are too old to be taken', () => Date.now() - Date.parse(String(requests[1]!['timestamp'])) > 5000)
  for (const [way, ask] of ways) {
    for (const request of requests) t.equal(await ask(node, mine, request), 'order_accepted', `${way}: again`)
    const { signature, ...unsigned } = requests[0]!
    const changed: Request = { ...unsigned, action: 'submit_order', quantity: '6' }
    t.equal(await ask(node, mine, signed(privateKey, changed, MINUTE_MS)), 'conflict', `${way}: with other contents`)
    t.equal(await ask(node, mine, { ...unsigned, action: 'submit_order' }), 'forbidden', `${way}: without its signature`)
    t.equal(await ask(node, { trade: true, sub: 'bob' }, order()), 'forbidden', `${way}: of a user without a key`)
  }
  t.equal(await countOf(node, 'alice'), 2)
})
