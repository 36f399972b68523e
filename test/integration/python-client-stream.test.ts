import { test, type Test } from 'tap'
import { NodeProcess } from '../fleet/node-process.js'
import { networkTo } from '../helpers/network.js'
import { providePython, PythonDriver } from '../helpers/python-client.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer } from '../helpers/server.js'
import { signedToken } from '../helpers/tokens.js'
import { trade, TradesFeed } from '../helpers/trades-feed.js'

const python = await providePython()
const skip = 'missing' in python ? python.missing : false
const program = 'program' in python ? python.program : ''
const transports = ['websocket', 'event-stream', 'polling'] as const

const TRADES = { channel: 'trades', symbols: ['A'] }
const portOf = (origin: string): number => Number(new URL(origin).port)

/** A driver for each transport, with what each subscribes to. */
function startAll (
  t: Test, url: string, subscriptions: readonly object[], credentials: object = {}
): PythonDriver[] {
  return transports.map(transport => {
    const driver = PythonDriver.start(t, program)
    driver.do({ do: 'connect', url, transports: [transport], ...credentials })
    for (const subscription of subscriptions) driver.do({ do: 'subscribe', ...subscription })
    return driver
  })
}

type Wait = (driver: PythonDriver) => Promise<void>

const each = async (drivers: readonly PythonDriver[], wait: Wait): Promise<void> => {
  await Promise.all(drivers.map(wait))
}

/** Waits until a feed has come, and demands that each number came once and in order, and nothing else. */
async function haveAll (t: Test, drivers: readonly PythonDriver[], feed: TradesFeed): Promise<void> {
  await feed.stop()
  await each(drivers, driver => driver.until('all have come', () => driver.numbers('trades', 'A').length >= feed.count))
  for (const [at, driver] of drivers.entries()) {
    t.strictSame(driver.numbers('trades', 'A'), feed.numbers, `each once and in order: ${transports[at]!}`)
    t.same(driver.events.filter(({ event }) => event === 'reset' || event === 'gap'), [])
  }
}

async function close (t: Test, drivers: readonly PythonDriver[]): Promise<void> {
  for (const driver of drivers) {
    t.equal(await driver.close(), 0)
    t.equal(driver.events.at(-1)!.event, 'closed')
  }
}

test('brings clients everything once and in order through cuts', { skip }, async t => {
  const server = await startServer(t)
  const network = await networkTo(t, portOf(server.origin))
  const drivers = startAll(t, network.origin, [TRADES])
  await each(drivers, driver => driver.seen({ event: 'state', state: 'live' }))
  const feed = new TradesFeed(server)
  for (let cut = 1; cut <= 3; cut++) {
    await each(drivers, driver => {
      const had = driver.numbers('trades', 'A').length
      return driver.until('messages come', () => driver.numbers('trades', 'A').length > had + 20)
    })
    const lives = drivers.map(driver => driver.all({ event: 'state', state: 'live' }).length)
    network.take()
    await each(drivers, driver => driver.seen({ event: 'state', state: 'offline' }, cut))
    const count = feed.count
    await drivers[0]!.until('some are missed', () => feed.count > count + 5)
    network.giveBack()
    await Promise.all(drivers.map((driver, at) => driver.seen({ event: 'state', state: 'live' }, lives[at]! + 1)))
  }
  await haveAll(t, drivers, feed)
  await close(t, drivers)
})

test('reports what is refused and goes on with the rest', { skip }, async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject' })
  for (const symbol of ['A', 'B', 'C']) await publish(server.app, 'quotes', symbol, { symbol, bid: '1' })
  await publish(server.app, 'trades', 'A', trade(1))
  const drivers = startAll(t, server.origin, [
    { channel: 'quotes', symbols: ['A', 'NOPE', 'B', 'not well-formed', 'C'] },
    { channel: 'trades', symbols: ['A'], throttle_ms: 100 },
    { channel: 'orders' },
    { channel: 'no_such' }
  ])
  await each(drivers, driver => driver.seen({ event: 'message' }, 3))
  await each(drivers, driver => driver.seen({ event: 'rejected' }, 5))
  await publish(server.app, 'quotes', 'B', { symbol: 'B', bid: '2' })
  await each(drivers, driver => driver.until('it goes on', () => driver.numbers('quotes', 'B').includes('2')))
  for (const [at, driver] of drivers.entries()) {
    const rejected = driver.all({ event: 'rejected' }).map(({ channel, symbol = '', code }) => `${channel}:${symbol} ${code}`)
    t.strictSame(rejected.sort(), [
      'no_such: unknown_channel', 'orders: unauthorized', 'quotes:NOPE unknown_symbol',
      'quotes:not well-formed invalid_message', 'trades:A not_throttleable'
    ], transports[at]!)
    t.strictSame(driver.all({ event: 'subscribed' }).flatMap(({ symbols }) => symbols!).sort(), ['A', 'B', 'C'])
  }
  await close(t, drivers)
})

test('goes on with a new token when the old one expires, and stops where none can be had', { skip }, async t => {
  const server = await startServer(t, { AUTH: 'required' })
  const token = (seconds: number): string => signedToken({ sub: 'bob', read: ['*'] }, seconds)
  const expired = startAll(t, server.origin, [TRADES], { token: token(-3600) })
  const drivers = startAll(t, server.origin, [TRADES], { tokens: [token(-3600), token(3), token(300)] })
  await each(drivers, driver => driver.seen({ event: 'state', state: 'live' }))
  const began = Date.now()
  const feed = new TradesFeed(server)
  await drivers[0]!.until('the second token has expired', () => Date.now() > began + 4000)
  await haveAll(t, drivers, feed)
  for (const driver of drivers) t.same(driver.all({ event: 'state', state: 'closed' }), [])
  await each(expired, driver => driver.seen({ event: 'state', state: 'closed', code: 'unauthorized' }))
  for (const driver of expired) t.same(driver.all({ event: 'state', state: 'live' }), [])
  await close(t, [...drivers, ...expired])
})

test('goes on behind a restart of a server on Redis without a reset', {
  skip: skip === false && redisProgram === undefined ? 'there is no Redis' : skip
}, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const settings = { REDIS_URL: redis.url, BROKER: 'none' } as const
  const node = await NodeProcess.create('node', settings)
  t.teardown(() => node.close())
  await node.start()
  const publisher = await startServer(t, settings)
  const drivers = startAll(t, node.origin, [TRADES])
  await each(drivers, driver => driver.seen({ event: 'state', state: 'live' }))
  const feed = new TradesFeed(publisher)
  await node.stop()
  await node.start()
  await each(drivers, driver => driver.seen({ event: 'state', state: 'live' }, 2))
  await haveAll(t, drivers, feed)
  await close(t, drivers)
})

test('tells what a restart of a log in memory has lost', { skip }, async t => {
  const node = await NodeProcess.create('node', { BROKER: 'none' })
  t.teardown(() => node.close())
  await node.start()
  const post = async (channel: string, data: object): Promise<void> => {
    const answer = await fetch(`${node.origin}/v1/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${signedToken({ sub: 'feed', publish: ['*'] })}` },
      body: JSON.stringify({ channel, symbol: 'A', data })
    })
    if (!answer.ok) throw new Error(await answer.text())
  }
  await post('quotes', { symbol: 'A', bid: '1' })
  const drivers = startAll(t, node.origin, [TRADES, { channel: 'quotes', symbols: ['A'] }])
  await each(drivers, driver => driver.seen({ event: 'state', state: 'live' }))
  for (const price of [1, 2, 3]) await post('trades', trade(price))
  await each(drivers, driver => driver.until('the trades have come', () => driver.numbers('trades', 'A').length === 3))
  await node.kill()
  await node.start()
  await post('trades', trade(4))
  await post('quotes', { symbol: 'A', bid: '2' })
  await each(drivers, driver => driver.until('it has what is new', () =>
    driver.numbers('trades', 'A').includes('4') && driver.numbers('quotes', 'A').includes('2')))
  for (const [at, driver] of drivers.entries()) {
    t.strictSame(driver.numbers('trades', 'A'), ['1', '2', '3', '4'], transports[at]!)
    const trades = driver.events.filter(({ event, channel }) => channel === 'trades' && event !== 'subscribed')
    t.equal(trades[3]!.event, 'reset', 'before the first message of the new log')
    t.equal(trades.at(-1)!.sequence, 1)
    t.ok(driver.all({ event: 'reset', channel: 'quotes', symbol: 'A' }).length > 0)
  }
  await close(t, drivers)
})
