import { test } from 'tap'
import { networkTo } from '../helpers/network.js'
import { providePython } from '../helpers/python-client.js'
import { close, each, haveAll, startAll, TRADES } from '../helpers/python-drivers.js'
import { publish, startServer } from '../helpers/server.js'
import { signedToken } from '../helpers/tokens.js'
import { trade, TradesFeed } from '../helpers/trades-feed.js'

const python = await providePython()
const skip = 'missing' in python ? python.missing : false
const program = 'program' in python ? python.program : ''
const portOf = (origin: string): number => Number(new URL(origin).port)

test('brings clients everything once and in order through cuts', { skip }, async t => {
  const server = await startServer(t)
  const network = await networkTo(t, portOf(server.origin))
  const drivers = startAll(t, program, network.origin, [TRADES])
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
  const drivers = startAll(t, program, server.origin, [
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
    ], `of driver ${at}`)
    t.strictSame(driver.all({ event: 'subscribed' }).flatMap(({ symbols }) => symbols!).sort(), ['A', 'B', 'C'])
  }
  await close(t, drivers)
})

test('goes on with a new token when the old one expires, and stops where none can be had', { skip }, async t => {
  const server = await startServer(t, { AUTH: 'required' })
  const token = (seconds: number): string => signedToken({ sub: 'bob', read: ['*'] }, seconds)
  const expired = startAll(t, program, server.origin, [TRADES], { token: token(-3600) })
  const tokens = [token(-3600), token(3), token(300)]
  const drivers = startAll(t, program, server.origin, [TRADES], { tokens })
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
