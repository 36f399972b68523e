import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { StaleFence } from '../../src/log/log.js'
import { openClient, until } from '../helpers/clients.js'
import { openRedisLog } from '../helpers/redis-log.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** Nodes with another clock than Redis: everything about the time of the log follows the clock of Redis. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

const SKEW_MS = 600_000

/** Sets the clock of this process, as far as code reads it from Date.now. */
function setClock (t: Test, aheadMs: number): () => void {
  const { now } = Date
  Date.now = () => now() + aheadMs
  const setBack = (): void => { Date.now = now }
  t.teardown(setBack)
  return setBack
}

async function start (t: Test, config: object): Promise<TestServer> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  // Otherwise marks could outlive their time, because Redis drops a hundred at once.
  await redis.ask(client => client.config('SET', 'stream-node-max-entries', '1'))
  return await startServer(t, { REDIS_URL: redis.url, ...config })
}

const trade = (node: TestServer, symbol: string): Promise<void> =>
  publish(node.app, 'trades', symbol, { symbol, price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' })

for (const [where, aheadMs] of [['ahead of', SKEW_MS], ['behind', -SKEW_MS]] as const) {
  test(`drops messages by age if the clock of the node is ten minutes ${where} that of Redis`, options, async t => {
    setClock(t, aheadMs)
    const node = await start(t, { RETENTION_SECONDS: 2 })
    for (let number = 0; number < 20; number++) await trade(node, 'QUIET')
    const countRetained = async (): Promise<number> =>
      (await node.parts.log.read('trades:QUIET', { sequence: 0 }, 100)).entries.length
    let left = await countRetained()
    t.equal(left, 20)
    for (let tries = 0; left > 0 && tries < 100; tries++) {
      await trade(node, 'BUSY')
      await delay(100)
      left = await countRetained()
    }
    t.equal(left, 0, 'a quiet topic has no messages left')
  })

  test(`keeps recent entries and measures true delays ten minutes ${where} the clock of Redis`, options, async t => {
    setClock(t, aheadMs)
    const node = await start(t, {})
    const [shard] = node.parts.hub.shards
    const client = openClient('ws-json', node.origin, 'subscribe=trades:*', undefined, {
      onMessage: () => {},
      onCursor: () => {}
    })
    await until('it is live', () => [...node.parts.hub.audience.of('trades:A').everybody()].length === 1)
    const before = shard!.received
    for (let number = 0; number < 3; number++) await trade(node, 'A')
    // The node looks for old ones among its recent entries once a second.
    await delay(2500)
    t.ok(shard!.recent.covers(before), 'a message of a moment ago is there')
    client.cut()
    const { body } = await node.app.inject({ url: '/metrics' })
    const [sum, count] = ['sum', 'count'].map(what => {
      const pattern = new RegExp(`^tickwire_publish_to_socket_seconds_${what} (.*)$`, 'm')
      return Number(pattern.exec(body)?.[1])
    })
    t.ok(count! > 0, 'delays were measured')
    t.ok(sum! * 1000 < SKEW_MS / 10, 'the difference of the clocks is in none of them')
  })
}

test('lets a node on time take over the source of a node with a fast clock, even if Redis lost its fence', options, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const log = await openRedisLog(t, redis, { maxTopics: 100 })
  const setBack = setClock(t, SKEW_MS)
  const early = await log.raise('s')
  setBack()
  await redis.ask(client => client.hdel('{tw:0}:meta', 'fence:s'))
  await delay(2)
  const late = await log.raise('s')
  t.ok(late.token > early.token, 'the token that was raised last is greater')
  const item = { topic: 'trades:A', payload: '{}' }
  await t.rejects(log.append([item], { fence: early }), StaleFence)
  t.match(await log.append([item], { fence: late }), [{ sequence: 1 }])
})
