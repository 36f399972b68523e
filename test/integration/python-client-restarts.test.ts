import { test } from 'tap'
import { NodeProcess } from '../fleet/node-process.js'
import { providePython } from '../helpers/python-client.js'
import { close, each, haveAll, startAll, TRADES } from '../helpers/python-drivers.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer } from '../helpers/server.js'
import { signedToken } from '../helpers/tokens.js'
import { trade, TradesFeed } from '../helpers/trades-feed.js'

const python = await providePython()
const skip = 'missing' in python ? python.missing : false
const program = 'program' in python ? python.program : ''

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
  const drivers = startAll(t, program, node.origin, [TRADES])
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
  const drivers = startAll(t, program, node.origin, [TRADES, { channel: 'quotes', symbols: ['A'] }])
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
    t.strictSame(driver.numbers('trades', 'A'), ['1', '2', '3', '4'], `of driver ${at}`)
    const trades = driver.events.filter(({ event, channel }) => channel === 'trades' && event !== 'subscribed')
    t.equal(trades[3]!.event, 'reset', 'before the first message of the new log')
    t.equal(trades.at(-1)!.sequence, 1)
    t.ok(driver.all({ event: 'reset', channel: 'quotes', symbol: 'A' }).length > 0)
  }
  await close(t, drivers)
})
