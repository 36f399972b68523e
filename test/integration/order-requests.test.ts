import { setTimeout as delay } from 'node:timers/promises'
import { type ErrorCode, errorTable } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import type { Config } from '../../src/config.js'
import { orderIdOf } from '../../src/trading-requests/order-id.js'
import { until } from '../helpers/clients.js'
import { commandsOf, overRest, overWebSocket, repeatedly, type Request, type Way } from '../helpers/order-ways.js'
import { Choices } from '../helpers/random.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'

/** PROTOCOL.md, Orders: requests to the exchange, alike over WebSocket and REST, and on both logs. */

/** Orders of the test that repeats them; `ORDERS=10000` for more. */
const ORDERS = Number(process.env['ORDERS'] ?? 300)

const waysOf = async (t: Test, node: TestServer, token: string | undefined): Promise<Way[]> =>
  [await overWebSocket(t, node.origin, token), restOf(node, token)]
const restOf = ({ origin }: TestServer, token: string | undefined): Way =>
  ({ name: 'rest', ask: request => overRest(origin, token, request) })

const order = (id: string, more: object = {}): Request => ({
  action: 'submit_order', client_order_id: id, symbol: 'AAPL', side: 'buy', order_type: 'limit', quantity: '5', limit_price: '185.50', ...more
})
const INSTRUMENTS = [
  { symbol: 'AAPL', market: 'NASDAQ', currency: 'USD', tick_size: '0.01', lot_size: '1' }, { symbol: '005930', market: 'KOSPI', currency: 'KRW' }
]

type Nodes = readonly [TestServer, TestServer]
type Setting = readonly [name: string, start: (t: Test, config?: Partial<Config>) => Promise<Nodes>]
const settings: readonly Setting[] = [
  ['a log in memory', async (t, config) => {
    const node = await startServer(t, { UNKNOWN_SYMBOLS: 'reject', ...config })
    await node.parts.declare(INSTRUMENTS)
    return [node, node]
  }],
  ...redisProgram === undefined
    ? []
    : [['two nodes on a Redis', async (t: Test, config?: Partial<Config>) => {
        const redis = await RedisServer.start()
        t.teardown(() => redis.close())
        const shared = { UNKNOWN_SYMBOLS: 'reject' as const, REDIS_URL: redis.url, LOG_SHARDS: 2, ...config }
        const nodes = [await startServer(t, shared), await startServer(t, shared)] as const
        await nodes[0].parts.declare(INSTRUMENTS)
        await until('both know the instruments', () => nodes.every(({ parts }) => parts.hub.directory.hasInstrument('005930')))
        return nodes
      }] as Setting]
]

/** Each is asked over both ways, in this order: the code of its refusal, or the answer. */
const known = orderIdOf('alice', 'known')
const others = orderIdOf('bob', 'known')
const table: ReadonlyArray<readonly [title: string, request: Request, expected: ErrorCode | object]> = [
  ['an order', order('known'), { type: 'order_accepted', order_id: known, client_order_id: 'known' }],
  ['the same again', order('known'), { type: 'order_accepted', order_id: known, client_order_id: 'known' }],
  ['with other contents', order('known', { quantity: '6' }), 'conflict'],
  ['a market order', order('market', { order_type: 'market', limit_price: undefined, time_in_force: 'ioc' }), { type: 'order_accepted', order_id: orderIdOf('alice', 'market'), client_order_id: 'market' }],
  ['a negative quantity', order('bad', { quantity: '-5' }), 'invalid_message'],
  ['no quantity at all', order('bad', { quantity: '0.00' }), 'invalid_message'],
  ['a quantity as a number', order('bad', { quantity: 5 }), 'invalid_message'],
  ['an absurd quantity', order('bad', { quantity: '1'.repeat(16) }), 'invalid_message'],
  ['a quantity of 65 characters', order('bad', { quantity: '1'.repeat(65) }), 'invalid_message'],
  ['a quantity between two lots', order('bad', { quantity: '5.5' }), 'invalid_message'],
  ['a price between two ticks', order('bad', { limit_price: '185.505' }), 'invalid_message'],
  ['a limit order without its price', order('bad', { limit_price: undefined }), 'invalid_message'],
  ['a price of another type', order('bad', { stop_price: '1' }), 'invalid_message'],
  ['an unknown type', order('bad', { order_type: 'iceberg' }), 'invalid_message'],
  ['an unknown field', order('bad', { colour: 'red' }), 'invalid_message'],
  ['an id that the server gives', order('bad', { order_id: 'mine' }), 'invalid_message'],
  ['an unknown symbol', order('bad', { symbol: 'UNHEARD' }), 'unknown_symbol'],
  ['a malformed symbol', order('bad', { symbol: 'A B' }), 'invalid_message'],
  ['a malformed timestamp', order('bad', { timestamp: 'yesterday' }), 'invalid_message'],
  ['a cancel', { action: 'cancel_order', request_id: 'c', order_id: known }, { type: 'order_accepted', order_id: known, request_id: 'c' }],
  ['the cancel again', { action: 'cancel_order', request_id: 'c', order_id: known }, { type: 'order_accepted', order_id: known, request_id: 'c' }],
  ['a cancel without its request_id', { action: 'cancel_order', order_id: known }, 'invalid_message'],
  ['a cancel by two ids', { action: 'cancel_order', request_id: 'd', order_id: known, client_order_id: 'known' }, /* of REST a parameter */ 'invalid_message'],
  ["another user's order", { action: 'cancel_order', request_id: 'd', order_id: others }, 'not_found'],
  ['an order that nobody submitted', { action: 'cancel_order', request_id: 'd', order_id: 'nonsense' }, 'not_found'],
  ['a replacement', { action: 'replace_order', request_id: 'e', order_id: known, quantity: '7', limit_price: '185.49' }, { type: 'order_accepted', order_id: known, request_id: 'e' }],
  ['a replacement under the id of another', { action: 'replace_order', request_id: 'c', order_id: known, quantity: '7' }, 'conflict'],
  ['a replacement that changes nothing', { action: 'replace_order', request_id: 'f', order_id: known }, 'invalid_message'],
  ['a replacement between two ticks', { action: 'replace_order', request_id: 'f', order_id: known, limit_price: '1.001' }, 'invalid_message'],
  ['a replacement by a price of another type', { action: 'replace_order', request_id: 'f', order_id: known, stop_price: '1' }, 'invalid_message'],
  ["a replacement of another user's order", { action: 'replace_order', request_id: 'f', order_id: others, quantity: '7' }, 'not_found']
]

for (const [name, start] of settings) {
  const suite = (
    title: string, body: (t: Test, nodes: Nodes) => Promise<void>, config?: Partial<Config>
  ): void => {
    void test(`${name}: ${title}`, async t => { await body(t, await start(t, config)) })
  }

  suite('takes and refuses alike over WebSocket and REST', async (t, [one, other]) => {
    const bob = one.token({ sub: 'bob', trade: true })
    t.equal((await overRest(one.origin, bob, order('known'))).status, 202)
    const seen = new Map<string, unknown[]>()
    // The first way makes the commands, and the second one repeats them on the other node.
    for (const [node, first] of [[one, 0], [other, 1]] as const) {
      const token = node.token({ trade: true })
      const rest = restOf(node, token)
      const websocket: Way = {
        name: 'websocket',
        // Too many bad messages would end a connection.
        async ask (request) {
          const socket = await overWebSocket(t, node.origin, token)
          const answer = await socket.ask(request)
          socket.cut()
          return answer
        }
      }
      for (const way of first === 0 ? [websocket, rest] : [rest, websocket]) {
        for (const [title, request, expected] of table) {
          // The path names the order, so there is no second name.
          if (way.name === 'rest' && title === 'a cancel by two ids') continue
          const { body, status } = await way.ask(JSON.parse(JSON.stringify(request)) as Request)
          const what = `${way.name}: ${title}: ${JSON.stringify(body)}`
          if (typeof expected === 'string') {
            t.match(body, { type: 'error', code: expected }, what)
            if (status !== undefined) t.equal(status, errorTable[expected].status, what)
          } else {
            t.strictSame(body, expected, what)
            if (status !== undefined) t.equal(status, 202, what)
          }
          seen.set(title, [...seen.get(title) ?? [], body['message']])
        }
      }
    }
    t.same((await commandsOf(other.parts.log)).map(({ action }) => action), ['submit_order', 'submit_order', 'cancel_order', 'replace_order'])
    t.strictSame((await commandsOf(one.parts.log))[0], {
      action: 'submit_order', order_id: known, client_order_id: 'known', symbol: 'AAPL', side: 'buy', order_type: 'limit', time_in_force: 'day', quantity: '5', limit_price: '185.50', market: 'NASDAQ', currency: 'USD'
    })
    t.same((await commandsOf(one.parts.log, 'bob')).map(({ action }) => action), ['submit_order'])
    // What the exchange's door says itself, it says alike.
    for (const title of ['a quantity between two lots', 'with other contents', 'an unknown symbol', "another user's order"]) {
      t.equal(new Set(seen.get(title)).size, 1, title)
    }
  })

  suite('makes one command of an order however often and over whatever it is sent', async (t, nodes) => {
    const choices = new Choices(7)
    const open = (node: TestServer): Promise<Way[]> => waysOf(t, node, node.token({ trade: true }))
    const ways = (await Promise.all([...nodes, ...nodes].map(open))).flat()
    const answers = new Map<string, Set<string>>()
    const sendings = repeatedly(Array.from({ length: ORDERS }, (_, n) => `order-${n}`), choices)
    let next = 0
    const send = async (): Promise<void> => {
      for (let id = sendings[next++]; id !== undefined; id = sendings[next++]) {
        const request = order(id, { quantity: String(1 + Number(id.slice(6))) })
        for (;;) {
          const { body } = await choices.pick(ways).ask(request)
          // A log that is slow to answer may have taken it all the same: the client sends it again.
          if (body['code'] === 'log_unavailable') continue
          const said = answers.get(id) ?? new Set()
          answers.set(id, said.add(JSON.stringify(body)))
          break
        }
      }
    }
    await Promise.all(Array.from({ length: 16 }, send))
    t.equal(answers.size, ORDERS)
    for (const [id, said] of answers) {
      const expected = JSON.stringify({ type: 'order_accepted', order_id: orderIdOf('alice', id), client_order_id: id })
      if (said.size !== 1 || !said.has(expected)) t.fail(`${id} was answered ${[...said].join(' and ')}`)
    }
    const taken = (await commandsOf(nodes[0].parts.log)).map(command => 'client_order_id' in command ? command.client_order_id : '')
    t.equal(taken.length, ORDERS, `${sendings.length} were sent`)
    t.equal(new Set(taken).size, ORDERS)
  })

  suite('takes the requests of a connection in the order in which they were sent', async (t, [one, other]) => {
    const socket = await overWebSocket(t, other.origin, other.token({ trade: true }))
    const ids = Array.from({ length: 30 }, (_, n) => `burst-${n}`)
    const answers = await Promise.all(ids.flatMap(id => [
      socket.ask(order(id)),
      socket.ask({ action: 'replace_order', request_id: `replace ${id}`, client_order_id: id, quantity: '6' }),
      socket.ask({ action: 'cancel_order', request_id: `cancel ${id}`, client_order_id: id })
    ]))
    t.same(new Set(answers.map(({ body }) => body.type)), new Set(['order_accepted']))
    const taken = await commandsOf(one.parts.log)
    t.same(taken.map(command => `${command.action} ${'order_id' in command ? command.order_id : ''}`), ids.flatMap(id =>
      ['submit_order', 'replace_order', 'cancel_order'].map(action => `${action} ${orderIdOf('alice', id)}`)))
  })

  suite('limits the requests of a user over all transports and servers', async (t, [one, other]) => {
    const open = (node: TestServer): Promise<Way[]> => waysOf(t, node, node.token({ trade: true }))
    const ways = [...await open(one), ...await open(other)]
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => ways[n % ways.length]!.ask(order(`many-${n}`))))
    const limited = answers.filter(({ body }) => body['code'] === 'rate_limited')
    const taken = answers.filter(({ body }) => body.type === 'order_accepted')
    t.equal(limited.length + taken.length, 60)
    t.ok(limited.length > 0, `${taken.length} were taken`)
    for (const { body, status } of limited) {
      const wait = body['retry_after_ms']
      t.ok(typeof wait === 'number' && wait > 0 && wait <= 1000, JSON.stringify(body))
      if (status !== undefined) t.equal(status, 429)
    }
    const bob = await overRest(one.origin, one.token({ sub: 'bob', trade: true }), order('one'))
    t.equal(bob.status, 202, 'another user')
    t.equal((await commandsOf(one.parts.log)).length, taken.length)
  }, { RATE_LIMIT_ORDERS: 5 })
}

test('lets only those send orders who may', async t => {
  const [node] = await settings[0]![1](t)
  const reset: Request = { action: 'reset_account', request_id: 'reset' }
  const requests = [order('one'), { action: 'cancel_order', request_id: 'r', order_id: known }, { action: 'replace_order', request_id: 'r', order_id: known, quantity: '1' }]
  const cases: ReadonlyArray<readonly [string, string | undefined, ErrorCode]> = [
    ['nobody', undefined, 'unauthorized'], ['without the claim', node.token({ admin: true }), 'forbidden'], ['without any symbol', node.token({ trade: [] }), 'forbidden']
  ]
  for (const [who, token, code] of cases) {
    for (const way of await waysOf(t, node, token)) {
      // Whether an order exists is said before whose symbol it has.
      for (const request of who === 'without any symbol' ? [order('one')] : requests) {
        t.match((await way.ask(request)).body, { type: 'error', code }, `${way.name}: ${who}: ${request.action}`)
      }
    }
    t.match((await overRest(node.origin, token, reset)).body, { type: 'error', code }, who)
  }
  for (const way of await waysOf(t, node, node.token({ trade: ['AAPL'] }))) {
    t.match((await way.ask(order('one'))).body, { type: 'order_accepted' })
    t.match((await way.ask(order('two', { symbol: '005930' }))).body, { code: 'forbidden', message: /005930/ })
  }
  t.equal((await overRest(node.origin, node.token({ trade: ['AAPL'] }), reset)).status, 403, 'an account holds every symbol')
  t.same(await overRest(node.origin, node.token({ trade: ['*'] }), reset), { status: 202, body: { type: 'reset_accepted', request_id: 'reset' } })
  t.same((await commandsOf(node.parts.log)).map(({ action }) => action), ['submit_order', 'reset_account'])
})

test('takes no orders with BROKER=none', async t => {
  const [node] = await settings[0]![1](t, { BROKER: 'none' })
  const requests: readonly Request[] = [
    order('one'), { action: 'cancel_order', request_id: 'r', order_id: known }, { action: 'replace_order', request_id: 'r', order_id: known, quantity: '1' }
  ]
  for (const way of await waysOf(t, node, node.token({ trade: true }))) {
    for (const request of requests) {
      const { body, status } = await way.ask(request)
      t.match(body, { type: 'error', code: 'disabled' }, `${way.name}: ${request.action}`)
      if (status !== undefined) t.equal(status, 503)
    }
  }
  t.match(await overRest(node.origin, node.token({ trade: true }), { action: 'reset_account', request_id: 'r' }), { status: 503, body: { code: 'disabled' } })
  t.same(await commandsOf(node.parts.log), [])
})

test('refuses over REST what the URL or the body has no place for', async t => {
  const [node] = await settings[0]![1](t)
  const headers = { authorization: `Bearer ${node.token({ trade: true })}`, 'content-type': 'application/json' }
  const ask = async (method: string, path: string, body?: string, more: object = {}): Promise<object> => {
    const response = await fetch(node.origin + path, {
      method, headers: { ...headers, ...more }, ...(body === undefined ? {} : { body })
    })
    t.equal(response.headers.get('cache-control'), 'no-store')
    return { status: response.status, ...await response.json() as object }
  }
  const good = JSON.stringify({ ...order('one'), action: undefined })
  t.match(await ask('POST', '/v1/orders?x=1', good), { status: 400, code: 'bad_request' })
  t.match(await ask('POST', '/v1/orders', '[]'), { status: 400, code: 'invalid_message', message: 'the body must be an object' })
  t.match(await ask('POST', '/v1/orders', 'null'), { status: 400, code: 'invalid_message' })
  t.match(await ask('POST', '/v1/orders', '{'), { status: 400, code: 'invalid_json' })
  t.match(await ask('POST', '/v1/orders', JSON.stringify({ ...order('one'), action: 'cancel_order' })), { status: 400, code: 'invalid_message', message: /^action/ })
  t.match(await ask('POST', '/v1/orders', good, { origin: 'https://evil.example' }), { status: 403, code: 'forbidden' })
  t.same(await commandsOf(node.parts.log), [])
  t.match(await ask('POST', '/v1/orders', JSON.stringify(order('one'))), { status: 202 }, 'the text that is signed has its action')
  const path = `/v1/orders/${orderIdOf('alice', 'one')}`
  t.match(await ask('DELETE', path, '{"request_id":"r"}'), { status: 400, code: 'bad_request', message: /query/ })
  t.match(await ask('DELETE', `${path}?request_id=r&request_id=s`), { status: 400, code: 'bad_request' })
  t.match(await ask('DELETE', `${path}?request_id=r&client_order_id=one`), { status: 400, code: 'bad_request' })
  t.match(await ask('PATCH', path, '{"request_id":"r","quantity":"1","order_id":"other"}'), { status: 400, code: 'invalid_message', message: /^order_id/ })
  t.match(await ask('PATCH', path, '{"request_id":"r","quantity":"1","client_order_id":"one"}'), { status: 400, code: 'invalid_message' })
  t.match(await ask('PATCH', path, `{"request_id":"r","quantity":"1","order_id":"${orderIdOf('alice', 'one')}"}`), { status: 202 })
  t.equal((await commandsOf(node.parts.log)).length, 2)
})

test('lets a WebSocket stay that only sends orders', async t => {
  const [node] = await settings[0]![1](t, { HEARTBEAT_MS: 100, IDLE_TIMEOUT_MS: 300 })
  const trader = await overWebSocket(t, node.origin, node.token({ trade: true }))
  const idle = await overWebSocket(t, node.origin, node.token())
  t.match((await trader.ask(order('one'))).body, { type: 'order_accepted' })
  await until('the other one is closed', idle.closed)
  await delay(300)
  t.equal(trader.closed(), false)
  t.match((await trader.ask(order('two'))).body, { type: 'order_accepted' })
})
