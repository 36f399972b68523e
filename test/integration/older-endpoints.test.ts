import { type Test, test } from 'tap'
import { onBothLogs } from '../helpers/both-logs.js'
import { until } from '../helpers/clients.js'
import { keptLog } from '../helpers/kept-log.js'
import { OlderClient, type OlderMessage, refusedAt } from '../helpers/older-client.js'
import { passedOn, publish, startServer, subscribers, type TestServer } from '../helpers/server.js'
import { signedToken } from '../helpers/tokens.js'

/** docs/compat.md, beyond the exchanges of test/older: who gets what, when, and within which bounds. */

const order = (id: string, filled = '0', more: object = {}): object => ({
  order_id: id, symbol: 'A', side: 'buy', order_type: 'limit', status: 'new', quantity: '10', filled_qty: filled, ...more
})

const quote = (symbol: string, last: string): object => ({ symbol, last, change: '1.50' })

const pricesOf = (client: OlderClient, symbol: string): unknown[] =>
  client.of('price_update').filter(message => message.symbol === symbol).map(({ data }) => data?.['price'])

async function start (
  t: Test, settings: Parameters<typeof startServer>[1] = {}, lines: string[] = []
): Promise<TestServer> {
  const write = (line: string): void => {
    lines.push(line)
    keptLog.write(line)
  }
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject', BROKER: 'paper', ...settings }, { lines: { write } })
  await server.app.tickwire.declare([
    { symbol: 'A', market: 'KOSPI' }, { symbol: 'B', market: 'KOSPI' }, { symbol: 'C', market: 'NYSE' },
    { symbol: 'BTC-USDT' }, { symbol: 'AB-CD' }, { symbol: 'ABC-D' }
  ])
  return server
}

test('sends prices to those who asked: once a second, by their spelling, by room, until they unsubscribe', async t => {
  const server = await start(t)
  const [named, room, other] = await Promise.all([1, 2, 3].map(async () => await OlderClient.open(t, server, '/api/ws')))
  await publish(server.app, 'quotes', 'A', quote('A', '1'))
  await named!.subscribe('price:A', 'price:BTCUSDT', 'price:BTC-USDT')
  await room!.subscribe('price:@market/KOSPI')
  await other!.subscribe('price:C', 'price:*')

  let price = 1
  const began = performance.now()
  while (performance.now() - began < 2500) {
    price++
    await Promise.all(['A', 'BTC-USDT', 'C'].map(async symbol => { await publish(server.app, 'quotes', symbol, quote(symbol, String(price))) }))
    await passedOn(server)
    // Each change of subscriptions lets the hub send what is pending; a client is not sent more for it.
    if (price % 7 === 0) {
      named!.send({ type: 'subscribe', topic: 'price:B' })
      named!.send({ type: 'unsubscribe', topic: 'price:B' })
    }
  }
  await until('the last price is there', () => pricesOf(named!, 'A').at(-1) === price)
  await until('also by the room', () => pricesOf(room!, 'A').at(-1) === price)
  for (const client of [named!, room!, other!]) {
    const last = new Map<string, number>()
    for (const [index, { type, symbol }] of client.messages.entries()) {
      if (type !== 'price_update') continue
      const since = client.times[index]! - (last.get(symbol!) ?? -Infinity)
      // The server's clock decides; a client that is held up may see two come closer together.
      if (since < 900) t.fail(`${symbol} came again after ${since} ms`)
      last.set(symbol!, client.times[index]!)
    }
  }
  t.ok(pricesOf(named!, 'A').length >= 2 && pricesOf(named!, 'A').length <= 6, 'about one each second')
  t.same(pricesOf(named!, 'BTCUSDT'), pricesOf(named!, 'BTC-USDT'), 'both spellings that were asked for')
  t.same([...new Set(room!.of('price_update').map(({ symbol }) => symbol))], ['A'], 'no other market')
  t.same([...new Set(other!.of('price_update').map(({ symbol }) => symbol))].sort(), ['A', 'BTC-USDT', 'C'])
  t.equal(typeof named!.of('price_update')[0]!.data!['change'], 'number')

  named!.send({ type: 'unsubscribe', topic: 'price:A' })
  named!.send({ type: 'unsubscribe', topic: 'price:BTCUSDT' })
  await named!.settled()
  const had = named!.messages.length
  await Promise.all(['A', 'BTC-USDT'].map(async symbol => { await publish(server.app, 'quotes', symbol, quote(symbol, '777')) }))
  await until('the other spelling goes on', () => pricesOf(named!, 'BTC-USDT').at(-1) === 777)
  await until('and the room', () => pricesOf(room!, 'A').at(-1) === 777)
  t.same(named!.messages.slice(had).map(({ symbol }) => symbol).filter(symbol => symbol !== undefined), ['BTC-USDT'])

  const errors = await asked(named!, 'price:ABCD', 'price:NONE', 'price:@market/NONE', 'prices:A', 'alert:A', 'orders', 'order:*')
  t.match(errors.map(({ message }) => message), [
    /^ABCD: /, /^NONE: /, /^@market\/NONE: /, /There is no such topic; the topics are: price:\{symbol\}/, /no such topic/, /no such topic/, /./
  ], 'each error says what is wrong, and the connection goes on')
  for (let bad = 0; bad < 10; bad++) named!.send('{')
  await until('it is closed', () => named!.closed !== undefined)
  t.equal(named!.closed, 4400)
  t.same(named!.messages.at(-1), { type: 'error', message: 'too many bad messages' })
  t.match(other!.closed, undefined)
})

/** Subscribes to topics that are refused. Returns the errors. */
async function asked (client: OlderClient, ...topics: string[]): Promise<OlderMessage[]> {
  const before = client.of('error').length
  for (const topic of topics) client.send({ type: 'subscribe', topic })
  return (await client.count('error', before + topics.length)).slice(before)
}

interface Standing {
  readonly channel: string
  readonly acknowledged: number
  readonly open: number
}

const lines: string[] = []
const logs = onBothLogs(async (t, settings) => await start(t, settings, lines))
for (const [name, startOn] of logs) {
  test(`${name}: tells a user at once of their own orders, from now on, and acknowledges what order:* was sent`, async t => {
    const server = await startOn(t)
    const alice = server.token({ sub: 'alice', name: 'Alice' })
    const tell = async (user: string, data: object): Promise<void> => { await publish(server.app, 'orders', undefined, data, { user }) }
    const open = async (): Promise<Standing> => {
      const answer = await fetch(`${server.origin}/v1/unacknowledged`, { headers: { authorization: `Bearer ${alice}` } })
      const { channels } = await answer.json() as { channels: Standing[] }
      return channels.find(({ channel }) => channel === 'orders')!
    }
    await tell('alice', order('old'))
    const one = await OlderClient.open(t, server, '/api/ws', alice)
    const bob = await OlderClient.open(t, server, '/api/ws', server.token({ sub: 'bob' }))
    const guest = await OlderClient.open(t, server, '/api/ws')
    t.match(await guest.count('connected', 1), [{ message: 'Welcome guest!', user_id: '' }])
    t.match(await one.count('connected', 1), [{ message: 'Welcome Alice!', user_id: 'alice' }])
    t.match(await asked(guest, 'order:*', 'order:o1', 'alert:*', 'strategy:S'), { length: 4 })
    guest.send({ type: 'get_account' })
    await guest.count('error', 5)

    await one.subscribe('order:o1')
    await bob.subscribe('order:*', 'order:o1')
    await tell('alice', order('o1'))
    await tell('alice', order('o2'))
    await tell('alice', order('o1', '4', { status: 'partially_filled', avg_price: '2.25' }))
    t.same((await one.count('order_update', 2)).map(({ data }) => data), [
      { order_id: 'o1', status: 'new', filled_quantity: 0, filled_price: 0 },
      { order_id: 'o1', status: 'partially_filled', filled_quantity: 4, filled_price: 2.25 }
    ])
    t.match(await open(), { acknowledged: 0, open: 4 }, 'one order alone acknowledges nothing')

    const all = await OlderClient.open(t, server, '/api/ws', alice)
    await all.subscribe('order:*')
    await tell('alice', order('o3'))
    await tell('bob', order('b1'))
    t.match(await all.count('order_update', 1), [{ data: { order_id: 'o3' } }], 'it begins with the present')
    t.match(await bob.count('order_update', 1), [{ data: { order_id: 'b1' } }])
    let standing = await open()
    while (standing.acknowledged !== 5) standing = await open()
    t.match(standing, { open: 0 })
    await one.settled()
    t.equal(one.of('order_update').length, 2)
    t.equal(bob.of('order_update').length, 1, 'nobody is told of the orders of others')
    t.equal(guest.of('order_update').length, 0)

    one.send({ type: 'unsubscribe', topic: 'order:o1' })
    await one.settled()
    await one.subscribe('order:*')
    await tell('alice', order('o1', '10'))
    await one.count('order_update', 3)

    const answer = await fetch(`${server.origin}/v1/orders`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token({ sub: 'alice', trade: true })}`, 'content-type': 'application/json' },
      body: JSON.stringify({ client_order_id: 'x', symbol: 'A', side: 'buy', order_type: 'limit', quantity: '3', limit_price: '2' })
    })
    const { order_id: id } = await answer.json() as { order_id: string }
    await until('the exchange has told of the order', () => all.of('order_update').some(({ data }) => data!['order_id'] === id))
    t.notOk(lines.some(line => line.includes(alice)), 'no token is in a log')
    t.ok(lines.length > 0)
  })
}

test('serves older clients within the same bounds and by the same credentials as others', async t => {
  const server = await start(t, { AUTH: 'required', MAX_SUBSCRIPTIONS: 3, RATE_LIMIT_MESSAGES: 20, MAX_CONNECTIONS_PER_USER: 4 })
  const token = server.token({ sub: 'carol', read: ['quotes:A', 'orders'] })
  t.equal(await refusedAt(server, '/api/ws'), '401 unauthorized')
  t.equal(await refusedAt(server, '/ws/heatmap'), '401 unauthorized')
  t.equal(await refusedAt(server, '/api/ws?token=nonsense'), '401 unauthorized')
  t.equal(await refusedAt(server, `/api/ws?token=${token}&subscribe=quotes:A`), '400 bad_request')
  t.equal(await refusedAt(server, `/api/ws?token=${token}`, { origin: 'https://elsewhere.example' }), '403 forbidden')
  t.match(await (await fetch(`${server.origin}/api/ws?token=${token}`)).json(), { code: 'bad_request' })
  for (const path of ['/api/ws/status', '/api/ws/channels', '/ws/stats']) t.equal((await fetch(`${server.origin}${path}`)).status, 401, path)

  const ticket = await (await fetch(`${server.origin}/api/ws/token`, { headers: { authorization: `Bearer ${token}` } })).json() as { ticket: string }
  const client = await OlderClient.open(t, server, `/api/ws?ticket=${ticket.ticket}`)
  t.equal(await refusedAt(server, `/api/ws?ticket=${ticket.ticket}`), '401 unauthorized', 'a ticket is good once')
  t.match(await asked(client, 'price:B', 'price:*', 'orderbook:A', 'alert:*'), { length: 4 }, 'the token permits nothing else')
  await client.subscribe('price:A', 'order:1', 'order:2')
  t.match(await asked(client, 'order:3'), [{ message: 'a connection has at most 3 subscriptions' }])

  const others = await Promise.all([1, 2, 3].map(async () => await OlderClient.open(t, server, '/api/ws', token)))
  t.equal(await refusedAt(server, `/api/ws?token=${token}`), '429 too_many_connections')
  const status = async (claims: object): Promise<Record<string, unknown>> => {
    const authorization = `Bearer ${server.token({ sub: 'root', ...claims })}`
    const answer = await fetch(`${server.origin}/api/ws/status`, { headers: { authorization } })
    return await answer.json() as Record<string, unknown>
  }
  t.same(await status({}), {
    active_connections: 4, active_users: [], subscriptions: {}, price_streamer_running: true
  })
  t.same(await status({ admin: true }), {
    active_connections: 4,
    active_users: ['carol'],
    subscriptions: { 'price:A': ['carol'], 'order:1': ['carol'], 'order:2': ['carol'] },
    price_streamer_running: true
  })
  for (let sent = 0; sent < 200; sent++) others[0]!.send({ type: 'ping', timestamp: sent })
  await until('it is told of its rate', () => others[0]!.of('error').some(({ message }) => message === 'a connection may send 20 messages a second'))
  t.equal(others[0]!.of('pong')[0]!['timestamp'], 0)

  const short = await OlderClient.open(t, server, '/api/ws', signedToken({ sub: 'dave' }, 2))
  await until('the token is over', () => short.closed !== undefined)
  t.equal(short.closed, 4401)
  t.same(short.messages.at(-1), { type: 'error', message: 'the token has expired' })

  const { channels } = await (await fetch(`${server.origin}/api/ws/channels`, { headers: { authorization: `Bearer ${token}` } })).json() as { channels: Array<{ name: string }> }
  t.match(channels.find(({ name }) => name === 'quotes'), {
    type: 'quote', access: 'public', symbols: true, delivery: { snapshot: true, throttle_ms: true, depth: false, acknowledged: false, websocket: true }
  })
  t.notOk(channels.some(({ name }) => name === 'acknowledgements'), 'nothing of the inside')
})

test('makes no more of slow older clients than of others, and tells a reader of heatmaps that it is slow', async t => {
  const server = await start(t, { MAX_BUFFERED_BYTES: 16_384, COMPRESSION: 'off' })
  const levels = Array.from({ length: 5000 }, (_, index) => [String(index + 1), '1.00000000', '2.00000000'])
  const heatmap = async (price: number): Promise<void> => {
    await publish(server.app, 'heatmap', 'BTC-USDT', { symbol: 'BTC-USDT', kind: 'liquidation', as_of: '2025-12-28T14:30:00Z', price_step: '1', current_price: String(price), levels })
  }
  const client = await OlderClient.open(t, server, '/ws/heatmap')
  client.send({ action: 'subscribe', symbols: ['BTCUSDT', 'BTC-USDT'] })
  await until('it is subscribed', () => subscribers(server, 'heatmap:BTC-USDT') === 1)
  client.socket.pause()
  const counters = server.parts.counters.transport('websocket')
  let price = 0
  while (counters.lagging === 0) {
    await heatmap(++price)
    await passedOn(server)
  }
  // Nothing more is written for a client that lags: what comes now is read from the log, as it stands then.
  const { bytes } = counters
  for (let more = 0; more < 5; more++) await heatmap(++price)
  await passedOn(server)
  t.equal(counters.bytes, bytes)
  client.socket.resume()
  const has = (symbol: string): boolean => client.of('snapshot').some(message => message.symbol === symbol && message.data!['current_price'] === price)
  await until('it has the last heatmap', () => has('BTCUSDT') && has('BTC-USDT'))
  t.match(client.of('warning'), [{ code: 'SLOW_CONSUMER', message: /slow/ }])
  t.ok(Number(client.of('warning')[0]!['dropped_messages']) >= 1)
  const stats = await (await fetch(`${server.origin}/ws/stats`)).json() as Record<string, unknown>
  t.match(stats, { active_connections: 1, slow_consumers: 1, subscriptions_by_symbol: { BTCUSDT: 1, 'BTC-USDT': 1 } })
  t.equal(stats['messages_sent_1m'], client.of('snapshot').length)

  const errorsOf = async (message: object, count: number): Promise<OlderMessage[]> => {
    const before = client.of('error').length
    client.send(message)
    return (await client.count('error', before + count)).slice(before)
  }
  t.match(await errorsOf({ action: 'subscribe', symbols: ['ABCD', '@market/KOSPI'] }, 2), [
    { code: 'INVALID_SYMBOL', message: /^Symbol '@market\/KOSPI' not supported\. Valid: A, / }, { code: 'INVALID_SYMBOL', message: /^Symbol 'ABCD'/ }
  ])
  t.match(await errorsOf({ action: 'subscribe', symbols: ['A'], update_interval: 0 }, 1), [{ code: 'INVALID_MESSAGE', message: /0\.01 to 60 seconds/ }])
  t.match(await errorsOf({ action: 'dance' }, 1), [{ message: 'Unknown action: dance; it must be one of: subscribe, unsubscribe, ping' }])

  // A throttled symbol comes at the interval that was asked for last.
  client.send({ action: 'subscribe', symbols: ['BTCUSDT', 'BTC-USDT'], update_interval: 60 })
  client.send({ action: 'unsubscribe', symbols: ['BTC-USDT'] })
  client.send({ action: 'ping' })
  await client.count('pong', 1)
  await until('the interval holds', () => {
    const [selector] = [...server.parts.hub.audience.of('heatmap:BTC-USDT').views()]
    return selector?.throttleMs === 60_000
  })
  // What operators see of it, and what others count, follows.
  client.send({ action: 'unsubscribe', symbols: ['BTCUSDT'] })
  client.send({ action: 'subscribe', symbols: ['A', 'AB-CD'] })
  client.send({ action: 'unsubscribe', symbols: ['A'] })
  client.send({ action: 'ping' })
  await client.count('pong', 2)
  const [seen] = [...server.parts.connections.ledger.open]
  await until('it is unsubscribed', () => seen!.record.selectors === 1)
  t.match(seen!.record.subscriptions, [{ channel: 'heatmap', symbols: ['AB-CD'] }])
  const counted = async (): Promise<unknown> =>
    (await (await fetch(`${server.origin}/ws/stats`)).json() as { subscriptions_by_symbol: unknown }).subscriptions_by_symbol
  t.same(await counted(), { 'AB-CD': 1 })
  client.socket.close()
  await until('it has gone', () => server.parts.connections.active === 0)
  t.same(await counted(), {})

  const off = await start(t, { WS_ENABLED: false })
  t.equal(await refusedAt(off, '/ws/heatmap'), '503 disabled')
})
