import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { Config } from '../../src/config.js'
import { eventually } from '../helpers/eventually.js'
import { openOrder } from '../helpers/open-order.js'
import { postgresProgram, PostgresServer } from '../helpers/postgres.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** `GET /v1/orders`, `/v1/fills` and `/v1/account`, as PROTOCOL.md has them. */

interface Shown {
  readonly order_id: string
  readonly status?: string
  readonly exec_id?: string
}
interface Answer {
  readonly orders?: readonly Shown[]
  readonly fills?: readonly Shown[]
  readonly next: string | null
  readonly more: boolean
}

const TIME = Date.UTC(2026, 0, 1)
const at = (minutes: number): string => new Date(TIME + minutes * 60_000).toISOString()

const order = (id: number, more: object = {}): object => ({
  order_id: `o${id}`,
  client_order_id: `c${id}`,
  symbol: 'AAPL',
  side: 'buy',
  order_type: 'limit',
  time_in_force: 'gtc',
  status: 'new',
  quantity: '10',
  filled_qty: '0',
  limit_price: '185.50',
  created_at: at(id),
  updated_at: at(id),
  ...more
})
const fill = (id: number, n: number, more: object = {}): object => order(id, {
  status: 'partially_filled',
  filled_qty: String(n),
  avg_price: '185.50',
  exec_id: `o${id}.${n}`,
  last_qty: '1',
  last_price: '185.50',
  fee: '0.1855',
  updated_at: at(id + n / 10),
  ...more
})

const say = async ({ app }: TestServer, data: object, user = 'alice'): Promise<void> => {
  await publish(app, 'orders', undefined, data, { user })
}
const get = async (server: TestServer, path: string, user = 'alice', headers: Record<string, string> = {}): Promise<Response> =>
  await fetch(`${server.origin}${path}`, { headers: { authorization: `Bearer ${server.token({ sub: user })}`, ...headers } })
const read = async (server: TestServer, path: string, user = 'alice'): Promise<Answer> =>
  await (await get(server, path, user)).json() as Answer
const orders = async (server: TestServer, query = '', user = 'alice'): Promise<string[]> =>
  (await read(server, `/v1/orders${query}`, user)).orders!.map(({ order_id: id, status }) => `${id} ${status}`)
const fills = async (server: TestServer, query = '', user = 'alice'): Promise<string[]> =>
  (await read(server, `/v1/fills${query}`, user)).fills!.map(({ exec_id: id }) => id!)

/** Acknowledges all orders of a user, so that retention may drop them. */
async function acknowledge (server: TestServer, user = 'alice'): Promise<void> {
  const headers = { authorization: `Bearer ${server.token({ sub: user })}`, 'content-type': 'application/json' }
  const { channels } = await (await fetch(`${server.origin}/v1/unacknowledged`, { headers })).json() as { channels: Array<{ channel: string, last_sequence: number }> }
  const { last_sequence: sequence } = channels.find(({ channel }) => channel === 'orders')!
  const answer = await fetch(`${server.origin}/v1/ack`, { method: 'POST', headers, body: JSON.stringify({ channel: 'orders', sequence }) })
  if (answer.status !== 200) throw new Error(await answer.text())
}

test('a restarted server with a log in memory has the orders, fills and accounts of before', async t => {
  const settings: Partial<Config> = { DATA_DIR: temporaryFolder(t), LOG_SHARDS: 2 }
  const first = await startServer(t, settings)
  t.same(await read(first, '/v1/orders'), { orders: [], next: null, more: false })
  for (let id = 1; id <= 3; id++) await say(first, order(id))
  await say(first, fill(2, 1))
  await say(first, order(4), 'bob')
  const account = { opened_at: at(0), balances: [{ currency: 'USD', cash: '99', fees: '1', realized: '0' }], positions: [{ symbol: 'AAPL', currency: 'USD', quantity: '1', cost: '185.50' }] }
  await publish(first.app, 'accounts', undefined, account, { user: 'alice' })
  const open = openOrder('o3', { reserved: '1855' })
  await publish(first.app, 'open_orders', undefined, { orders: [open] }, { user: 'alice' })
  await say(first, fill(2, 2, { status: 'filled', quantity: '2' }))
  const before = await orders(first)
  t.same(before, ['o3 new', 'o2 filled', 'o1 new'])
  await first.app.close()

  const second = await startServer(t, settings)
  t.same(await orders(second), before)
  t.same(await orders(second, '', 'bob'), ['o4 new'])
  t.same(await fills(second), ['o2.2', 'o2.1'])
  t.match(await (await get(second, '/v1/account')).json(), {
    currency: 'USD', opened_at: at(0), balances: [{ currency: 'USD', cash: '99', fees: '1', realized: '0', reserved: '1855', available: '-1756' }], positions: account.positions
  })
  await say(second, order(3, { status: 'canceled', reason: 'asked for' }))
  await say(second, order(5))
  t.same(await orders(second), ['o5 new', 'o3 canceled', 'o2 filled', 'o1 new'])
  await second.app.close()
  const third = await startServer(t, settings)
  t.same(await orders(third), ['o5 new', 'o3 canceled', 'o2 filled', 'o1 new'])
  t.same(await (await get(third, '/v1/orders/o3')).json(), {
    order_id: 'o3', client_order_id: 'c3', symbol: 'AAPL', side: 'buy', order_type: 'limit', time_in_force: 'gtc', status: 'canceled', quantity: '10', filled_qty: '0', leaves_qty: '10', limit_price: '185.50', reason: 'asked for', created_at: at(3), updated_at: at(3)
  })
})

test('a server that never trades makes no file', async t => {
  const folder = join(temporaryFolder(t), 'data')
  const server = await startServer(t, { DATA_DIR: folder })
  await publish(server.app, 'quotes', 'AAPL', { symbol: 'AAPL', bid: '1', ask: '2' })
  t.same(await orders(server), [])
  t.equal((await get(server, '/v1/account')).status, 200)
  await server.app.close()
  t.notOk(existsSync(folder))
})

test('reads by status, symbol, time and page', async t => {
  const server = await startServer(t, { DATA_DIR: temporaryFolder(t) })
  const statuses = ['new', 'filled', 'partially_filled', 'canceled', 'replaced', 'rejected', 'pending_new', 'expired', 'pending_cancel']
  for (const [id, status] of statuses.entries()) await say(server, order(id, { status, symbol: id % 2 === 0 ? 'AAPL' : '005930' }))
  t.same(await orders(server, '?status=open'), ['o8 pending_cancel', 'o6 pending_new', 'o4 replaced', 'o2 partially_filled', 'o0 new'])
  t.same(await orders(server, '?status=closed'), ['o7 expired', 'o5 rejected', 'o3 canceled', 'o1 filled'])
  t.same(await orders(server, '?status=all&symbol=005930'), ['o7 expired', 'o5 rejected', 'o3 canceled', 'o1 filled'])
  const seen: string[] = []
  for (let after = '', more = true; more;) {
    const page = await read(server, `/v1/orders?limit=2${after}`)
    seen.push(...page.orders!.map(({ order_id: id }) => id))
    after = `&after=${page.next}`
    more = page.more
  }
  t.same(seen, ['o8', 'o7', 'o6', 'o5', 'o4', 'o3', 'o2', 'o1', 'o0'])
  for (let n = 1; n <= 5; n++) await say(server, fill(9, n))
  t.same(await fills(server, `?from=${at(9.2)}&to=${at(9.4)}`), ['o9.3', 'o9.2'])
  const { next } = await read(server, '/v1/fills?limit=2')
  t.same(await fills(server, `?limit=2&after=${next}`), ['o9.3', 'o9.2'])
  t.same(await fills(server, '?symbol=005930'), [])
  t.same(await read(server, '/v1/fills?symbol=005930'), { fills: [], next: null, more: false })
  t.same((await read(server, '/v1/fills?limit=1')).fills, [{ exec_id: 'o9.5', order_id: 'o9', client_order_id: 'c9', symbol: 'AAPL', side: 'buy', quantity: '1', price: '185.50', fee: '0.1855', time: at(9.5) }])
})

test('gives fills as a table, all of them', async t => {
  const server = await startServer(t, { DATA_DIR: temporaryFolder(t) })
  const head = 'exec_id,order_id,client_order_id,symbol,side,quantity,price,fee,currency,time\r\n'
  const csv = async (query: string, headers = {}): Promise<string> => await (await get(server, `/v1/fills${query}`, 'alice', headers)).text()
  t.equal(await csv('?format=csv'), head)
  const many = Array.from({ length: 2500 }, (_, index) => ({ channel: 'orders', user: 'alice', data: fill(1, index + 1, { client_order_id: 'a,"b"', currency: 'USD', updated_at: at(index) }) }))
  await server.app.tickwire.publishAll(many)
  const answer = await get(server, '/v1/fills', 'alice', { accept: 'text/csv' })
  t.match(answer.headers.get('content-type'), 'text/csv')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const lines = (await answer.text()).split('\r\n')
  t.equal(`${lines[0]}\r\n`, head)
  t.equal(lines.length, 2502)
  t.equal(lines[1], `o1.2500,o1,"a,""b""",AAPL,buy,1,185.50,0.1855,USD,${at(2499)}`)
  t.equal(new Set(lines).size, 2502)
  t.equal((await csv(`?format=csv&limit=1&to=${at(1)}`)), `${head}${lines[2500]}\r\n`)
})

test('each user reads only their own, and needs a token that permits it', async t => {
  const server = await startServer(t, { DATA_DIR: temporaryFolder(t) })
  await say(server, order(1))
  const status = async (path: string, claims?: object): Promise<unknown> => {
    const headers = claims === undefined ? {} : { authorization: `Bearer ${server.token({ ...claims })}` }
    const answer = await fetch(`${server.origin}${path}`, { headers })
    const { code } = await answer.json() as { code?: string }
    t.match(answer.headers.get('cache-control'), /no-store/, path)
    return code === undefined ? answer.status : `${answer.status} ${code}`
  }
  for (const path of ['/v1/orders', '/v1/orders/o1', '/v1/fills', '/v1/fills?format=csv', '/v1/account']) {
    t.equal(await status(path), '401 unauthorized', path)
    t.equal(await status(path, { read: ['quotes:*'] }), '403 forbidden', path)
    t.equal(await status(path, { read: path === '/v1/account' ? ['orders'] : ['portfolio'] }), '403 forbidden', path)
  }
  t.equal(await status('/v1/account', { read: ['orders', 'portfolio'] }), 200)
  t.equal(await status('/v1/orders/o1', { read: ['orders'] }), 200)
  t.equal(await status('/v1/orders/o1', { sub: 'bob' }), '404 not_found')
  t.equal(await status('/v1/orders/o2', {}), '404 not_found')
  t.same(await orders(server, '', 'bob'), [])
})

test('refuses what does not fit, and says what would be right', async t => {
  const server = await startServer(t, { DATA_DIR: temporaryFolder(t) })
  const refused = async (path: string, message: RegExp): Promise<void> => {
    const answer = await get(server, path)
    t.match(await answer.json(), { code: 'bad_request', message }, path)
    t.equal(answer.status, 400, path)
  }
  await refused('/v1/orders?status=pending', /'status' is one of open, closed, all/)
  await refused('/v1/orders?limit=0', /'limit' is a whole number from 1 to 1000/)
  await refused('/v1/orders?limit=1001', /'limit' is a whole number from 1 to 1000/)
  await refused('/v1/orders?symbol=a%20b', /'symbol' is one symbol: symbol=AAPL/)
  await refused('/v1/orders?after=x', /'after' is not a position that this endpoint gave/)
  await refused(`/v1/orders?after=${Buffer.from('[1,2]').toString('base64url')}`, /'after' is not a position/)
  await refused(`/v1/fills?after=${Buffer.from('[1,"o1"]').toString('base64url')}`, /'after' is not a position/)
  await refused(`/v1/orders?after=${Buffer.from('[1,"\\u0000"]').toString('base64url')}`, /'after' is not a position/)
  await refused('/v1/orders?page=2', /'page' is not a parameter here/)
  await refused('/v1/orders/o1?symbol=AAPL', /'symbol' is not a parameter here/)
  await refused('/v1/fills?format=xml', /'format' is one of json, csv/)
  await refused('/v1/fills?from=yesterday', /'from' must be a real date and time/)
  await refused(`/v1/fills?from=${at(2)}&to=${at(1)}`, /'from' is later than 'to'/)
  await refused('/v1/fills?format=csv&after=x', /'after' is not a position/)
  await refused('/v1/account?currency=USD', /'currency' is not a parameter here/)
})

const skip = redisProgram === undefined || postgresProgram === undefined
  ? 'no Redis, or no PostgreSQL that a test may stop'
  : false

/** Servers that share a log and a store. */
async function shared (
  t: Test
): Promise<{ readonly postgres: PostgresServer, readonly settings: Partial<Config> }> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const postgres = await PostgresServer.start({ isDurable: true })
  t.teardown(() => postgres.close())
  const database = await postgres.createDatabase()
  // Retention drops what is acknowledged soon.
  const settings = { REDIS_URL: redis.url, DATABASE_URL: postgres.url(database), RETENTION_SECONDS: 1 }
  return { postgres, settings }
}

test('on Redis, what the log no longer has comes from the database, on every server', { skip }, async t => {
  const { settings } = await shared(t)
  const [one, two] = [await startServer(t, settings), await startServer(t, settings)]
  for (let id = 1; id <= 20; id++) {
    await say(id % 2 === 0 ? one : two, order(id))
    await say(one, fill(id, 1, { status: 'filled', quantity: '1' }))
  }
  const all = Array.from({ length: 20 }, (_, index) => `o${20 - index} filled`)
  for (const server of [one, two]) t.same(await orders(server), all)
  await acknowledge(one)
  await eventually('the log has dropped them', async () => {
    // Its time goes on with what is appended.
    await publish(one.app, 'quotes', 'AAPL', { symbol: 'AAPL', bid: '1', ask: '2' })
    const { entries } = await one.parts.log.read('orders@alice', { offset: 0 }, 10)
    return entries.length === 0
  })
  await say(two, order(21))
  for (const server of [one, two]) {
    t.same(await orders(server), ['o21 new', ...all])
    t.equal((await fills(server)).length, 20)
  }
  // Whichever server writes the store, the other takes over.
  await one.app.close()
  await say(two, order(21, { status: 'filled' }))
  const rows = async (): Promise<string> => JSON.stringify(await orders(two, '?limit=1'))
  await eventually('it is filled', async () => await rows() === '["o21 filled"]')
})

test('a database that is away stops no order, and gets what it missed when it is back', { skip }, async t => {
  const { postgres, settings } = await shared(t)
  const server = await startServer(t, settings)
  await say(server, order(1))
  const written = async (): Promise<unknown[]> => await postgres.ask('select order_id, status from orders order by order_id', 'test1').catch(() => [])
  await eventually('it is written', async () => (await written()).length === 1)
  await postgres.kill()
  await say(server, order(1, { status: 'canceled' }))
  await say(server, order(2))
  const open = openOrder('o2')
  await publish(server.app, 'open_orders', undefined, { orders: [open] }, { user: 'alice' })
  t.same(await orders(server, '?status=open'), ['o2 new'], 'open orders are known without it')
  t.equal((await get(server, '/v1/account')).status, 200)
  const away = await get(server, '/v1/orders')
  t.match(await away.json(), { code: 'log_unavailable', message: /what the store has cannot be reached now/ })
  t.equal(away.status, 503)

  const late = await startServer(t, settings)
  await say(late, order(3))
  t.equal((await get(late, '/v1/fills')).status, 503, 'a server that starts meanwhile takes orders, too')
  await postgres.start()
  await eventually('what it missed is written', async () =>
    JSON.stringify(await written()) === JSON.stringify(['o1 canceled', 'o2 new', 'o3 new'].map(text => ({ order_id: text.split(' ')[0], status: text.split(' ')[1] }))))
  for (const each of [server, late]) {
    await eventually('it reads again', async () => (await get(each, '/v1/orders')).status === 200)
    t.same(await orders(each), ['o3 new', 'o2 new', 'o1 canceled'])
  }
})

test('on Redis without a database, a server says so once, and reads what the log has', { skip: redisProgram === undefined }, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const lines: string[] = []
  const server = await startServer(t, { REDIS_URL: redis.url, DATA_DIR: '/nowhere' }, { lines: { write: (line: string) => { lines.push(line) } } })
  await say(server, order(1))
  await say(server, fill(1, 1))
  t.same(await orders(server), ['o1 partially_filled'])
  t.same(await fills(server), ['o1.1'])
  t.equal(lines.filter(line => line.includes('to keep them, set DATABASE_URL')).length, 1)
})
