import { type Test, test } from 'tap'
import { remotePlace } from '../contract/brokers.js'
import { eventually } from '../helpers/eventually.js'
import { OrderClient } from '../helpers/order-client.js'
import type { RemoteBroker } from '../helpers/remote-broker.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import type { TestServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** docs/trading.md, Write a broker: a broker that is away, loses, repeats and errs. */

const ASKS: Array<[string, string]> = [['185.50', '2'], ['185.52', '10']]
const AWAY = 'the broker cannot be reached; the order waits'

/** Returns what the server counts of the broker. */
async function counted (server: TestServer, event: string): Promise<number> {
  const text = await (await fetch(`${server.origin}/metrics`)).text()
  const line = text.split('\n').find(one => one.startsWith('tickwire_source_events_total') && one.includes(`event="${event}"`))
  return Number(line?.split(' ').at(-1) ?? 0)
}

test('orders wait while the broker is away, and are filled once when it is back', async t => {
  const { remote, start } = await remotePlace(t)
  const server = await start(t)
  const client = new OrderClient(server)
  remote.show('A', [], ASKS)
  await remote.goAway()
  const first = await client.submit('o', 'buy 5 market')
  t.match(await client.reaches(first, 'pending_new', { reason: AWAY }), { filled_qty: '0', leaves_qty: '5' })
  const second = await client.submit('p', 'buy 1 limit 99')
  await client.reaches(second, 'pending_new', { reason: AWAY })
  t.ok(await counted(server, 'away') > 0)
  await remote.comeBack()
  t.match(await client.reaches(first, 'filled'), { avg_price: '185.512' })
  await client.reaches(second, 'new')
  t.ok(await counted(server, 'back') > 0)
  const third = await client.submit('q', 'buy 1 limit 185.52')
  await client.reaches(third, 'filled')
  t.notOk((await client.messages(third)).some(({ reason }) => reason === AWAY))
  await client.judge(t)
})

test('an order whose request or answer is lost comes to the broker again, and is one order', async t => {
  const { remote, start } = await remotePlace(t)
  const client = new OrderClient(await start(t))
  remote.show('A', [], ASKS)
  remote.loseRequests = 1
  const first = await client.submit('o', 'buy 1 limit 185.50')
  await client.reaches(first, 'filled')
  // No event says that the broker has the order, until it has got it once more.
  remote.hold(true)
  remote.loseAnswers = 2
  const second = await client.submit('p', 'buy 3 limit 185.50')
  await eventually('it came again', () => (remote.submitted.get(second) ?? 0) >= 3)
  remote.hold(false)
  await client.reaches(second, 'partially_filled', { filled_qty: '1' })
  remote.loseAnswers = 1
  await client.cancel(second)
  await client.reaches(second, 'canceled', { filled_qty: '1' })
  t.equal(remote.orders.size, 2)
  await client.judge(t)
})

test('what the broker says twice, or again after a cut, counts once', async t => {
  const { remote, start } = await remotePlace(t)
  const client = new OrderClient(await start(t))
  remote.repeats = true
  remote.rewind = 1000
  remote.show('A', [], ASKS)
  const first = await client.submit('o', 'buy 9 limit 185.51')
  await client.reaches(first, 'partially_filled', { filled_qty: '2' })
  remote.cut()
  remote.show('A', [], [['185.51', '3']])
  await client.reaches(first, 'partially_filled', { filled_qty: '5' })
  await client.replace(first, { quantity: '6' })
  await client.reaches(first, 'replaced')
  await client.replace(first, { quantity: '8' })
  await client.reaches(first, 'replaced', { quantity: '8' })
  remote.cut()
  remote.show('A', [], [['185.51', '4']])
  await client.reaches(first, 'filled', { filled_qty: '8' })
  remote.cut()
  const second = await client.submit('p', 'sell 8 market')
  await client.reaches(second, 'rejected', { reason: 'no liquidity' })
  t.equal(await client.fills(first), 3)
  t.equal((await client.messages(first)).filter(({ status }) => status === 'replaced').length, 2)
  await client.judge(t)
})

test('what cannot be true is refused and counted, and other orders go on', async t => {
  const { remote, start } = await remotePlace(t)
  const server = await start(t)
  const client = new OrderClient(server)
  remote.show('A', [], ASKS)
  const id = await client.submit('o', 'buy 5 limit 185.50')
  await client.reaches(id, 'partially_filled')
  const fill = { type: 'filled', price: '185.50', fee: '0' } as const
  remote.say({ ...fill, order_id: id, execution_id: 'over', quantity: '3.000000000001' })
  remote.say({ ...fill, order_id: id, execution_id: 'nothing', quantity: '0' })
  remote.say({ ...fill, order_id: 'nobody', execution_id: 'x', quantity: '1' })
  remote.say({ type: 'canceled', order_id: 'nobody' })
  remote.say({ type: 'replaced', order_id: id, quantity: '2' })
  // Not even in the form of an event.
  remote.say({ ...fill, order_id: id, execution_id: 'price', quantity: '1', price: 'cheap' })
  const other = await client.submit('p', 'buy 1 limit 185.52')
  await client.reaches(other, 'filled')
  await eventually('all are counted', async () => await counted(server, 'impossible') === 5 && await counted(server, 'refused') === 1)
  t.equal((await client.messages(id)).length, 3)
  remote.say({ ...fill, order_id: other, execution_id: 'late', quantity: '1' })
  await eventually('a fill of an order that has ended is counted', async () => await counted(server, 'impossible') === 6)
  remote.show('A', [], [['185.50', '8']])
  await client.reaches(id, 'filled')
  await client.judge(t)
})

test('what is no event is counted, and those behind it go on', async t => {
  const { remote, start } = await remotePlace(t)
  const server = await start(t)
  const client = new OrderClient(server)
  const id = await client.submit('o', 'buy 5 limit 185.50')
  await client.reaches(id, 'new')
  const lines = ['null', '7', '"event"', '[]', 'not JSON', '{"type":"away"}', '{"type":"canceled","order_id":7,"position":"1"}']
  for (const line of lines) remote.sayLine(line)
  remote.show('A', [], ASKS)
  await client.reaches(id, 'partially_filled')
  await eventually('all are counted', async () => await counted(server, 'refused') === lines.length)
  t.equal(await counted(server, 'failed'), 0)
  t.equal(await counted(server, 'away'), 0)
  const other = await client.submit('p', 'buy 1 limit 1')
  await client.reaches(other, 'new')
  t.notOk((await client.messages(other)).some(({ reason }) => reason === AWAY))
  const long = `${'x'.repeat(255)}\u{1F600}${'y'.repeat(100_000)}`
  remote.say({ type: 'canceled', order_id: other, reason: long })
  await client.reaches(other, 'canceled', { reason: 'x'.repeat(255) })
  await client.judge(t)
})

test('an order that the broker has is not rejected by an answer that comes for it later', async t => {
  const { remote, start } = await remotePlace(t)
  const client = new OrderClient(await start(t))
  remote.refusal = 409
  const id = await client.submit('o', 'buy 1 limit 1', 'REFUSED')
  await eventually('it came again', () => (remote.submitted.get(id) ?? 0) >= 2)
  t.equal((await client.messages(id)).at(-1)!.status, 'pending_new')
  remote.refusal = 422
  await client.reaches(id, 'rejected')
})

test('what the broker refuses, users are told with its reason', async t => {
  const { remote, start } = await remotePlace(t)
  const client = new OrderClient(await start(t))
  const refused = await client.submit('o', 'buy 1 limit 1', 'REFUSED')
  t.match(await client.reaches(refused, 'rejected'), { reason: 'this broker does not know REFUSED' })
  remote.show('A', [], [])
  const id = await client.submit('p', 'buy 1 limit 185.50')
  await client.reaches(id, 'new')
  // The broker has filled the order, and the server does not know yet.
  remote.hold(true)
  remote.show('A', [], ASKS)
  await client.replace(id, { quantity: '2' })
  await client.reaches(id, 'new', { reason: 'the order has ended' })
  await client.cancel(id)
  await eventually('it was to be canceled', async () => (await client.messages(id)).some(({ status }) => status === 'pending_cancel'))
  await client.reaches(id, 'new', { reason: 'the order has ended' })
  remote.hold(false)
  await client.reaches(id, 'filled')
  t.match(await client.ask('POST', '/v1/account/reset', { request_id: 'r' }), { body: { code: 'disabled' } })
  await client.judge(t)
})

test('one request about an order is under way at a time, but it can always be canceled', async t => {
  const { remote, start } = await remotePlace(t)
  const client = new OrderClient(await start(t))
  const id = await client.submit('o', 'buy 4 limit 100')
  await client.reaches(id, 'new')
  remote.hold(true)
  await client.replace(id, { quantity: '6' })
  await eventually('the larger one is reserved', async () => (await client.account()).balances[0]?.reserved === '600')
  await client.replace(id, { quantity: '7' })
  await client.reaches(id, 'new', { reason: 'a request about the order is not answered yet' })
  await client.cancel(id)
  await client.reaches(id, 'pending_cancel')
  await client.cancel(id)
  await client.reaches(id, 'pending_cancel', { reason: 'a request about the order is not answered yet' })
  remote.hold(false)
  t.match(await client.reaches(id, 'canceled'), { quantity: '6' })
  await client.judge(t)
})

test('takes no orders if there is to be no exchange, broker or not', async t => {
  const { remote, start } = await remotePlace(t)
  const client = new OrderClient(await start(t, { BROKER: 'none' }))
  await t.rejects(client.submit('o', 'buy 1 market'), /disabled/)
  t.equal(remote.submitted.size, 0)
})

test('takes the fee that the broker charges', async t => {
  const { remote, start } = await remotePlace(t)
  const client = new OrderClient(await start(t, { PAPER_FEES: '0.5' }))
  remote.fee = '0.35'
  remote.show('A', [], ASKS)
  const id = await client.submit('o', 'buy 5 market')
  t.match(await client.reaches(id, 'filled'), { fee: '0.35' })
  await client.judge(t)
  t.match(await client.account(), { balances: [{ cash: '99071.74', fees: '0.7' }] })
})

/** Submits an order whose fills nobody hears before its server has gone. */
async function leaveWithOrder (remote: RemoteBroker, server: TestServer): Promise<OrderClient> {
  const client = new OrderClient(server)
  remote.show('A', [], [['185.50', '1']])
  const id = await client.submit('o', 'buy 5 limit 185.52')
  await client.reaches(id, 'partially_filled')
  await eventually('what is open is published', async () => (await client.account()).open_orders.some(({ filled_qty: filled }) => filled === '1'))
  remote.hold(true)
  remote.show('A', [], [['185.50', '1'], ['185.52', '2']])
  remote.loseRequests = 1
  await client.submit('p', 'buy 2 limit 185.52')
  await client.cancel(id)
  await client.reaches(id, 'pending_cancel')
  await server.app.close()
  remote.hold(false)
  return client
}

async function judgeAfter (t: Test, client: OrderClient): Promise<void> {
  const [id, other] = [...new Set((await client.messages()).map(({ order_id: order }) => order))]
  t.match(await client.reaches(id!, 'canceled'), { filled_qty: '4' })
  await client.reaches(other!, 'new')
  t.equal(await client.fills(id!), 3)
  await client.judge(t)
}

test('a server that takes over hears what the last one did not', {
  skip: redisProgram === undefined ? 'there is no Redis' : false
}, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const place = await remotePlace(t)
  place.remote.rewind = 3
  const settings = { REDIS_URL: redis.url, LOG_SHARDS: 3 }
  const client = await leaveWithOrder(place.remote, await place.start(t, settings))
  client.server = await place.start(t, settings)
  await judgeAfter(t, client)
  t.equal(place.remote.orders.size, 2)
})

test('a server whose log is in memory goes on after a restart by what is stored', async t => {
  const place = await remotePlace(t)
  const settings = { DATA_DIR: temporaryFolder(t) }
  const client = await leaveWithOrder(place.remote, await place.start(t, settings))
  client.server = await place.start(t, settings)
  const id = [...place.remote.orders.keys()][0]!
  await eventually('the rest is heard', async () => (await client.messages(id)).at(-1)?.status === 'canceled')
  t.match((await client.messages(id)).at(-1), { filled_qty: '4', avg_price: '185.51' })
  await eventually('the account is published', async () => (await client.account()).positions[0]?.quantity === '4')
  t.match(await client.account(), { balances: [{ cash: '99257.96' }] })
})
