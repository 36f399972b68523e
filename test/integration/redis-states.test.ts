import { setTimeout as delay } from 'node:timers/promises'
import { standardChannels } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { alertJournal } from '../../src/processors/alerts/alert-processor.js'
import { openClient, RuleFollower, until } from '../helpers/clients.js'
import { openRedisLog } from '../helpers/redis-log.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { passedOn, startServer } from '../helpers/server.js'

/** How the states of many topics are read from Redis: in batches, which all waiting clients share. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

const TOPICS = 400
const CLIENTS = 20

const symbols = Array.from({ length: TOPICS }, (_, index) => `S${index}`)
const quote = (symbol: string, last: number): { channel: string, symbol: string, data: object } => ({
  channel: 'quotes', symbol, data: { symbol, last: String(last) }
})

async function startRedis (t: Test): Promise<RedisServer> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  return redis
}

/** Returns how many scripts Redis has run. */
async function scriptsRun (redis: RedisServer): Promise<number> {
  const text = await redis.ask(client => client.info('commandstats'))
  return [...text.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0
  )
}

test('shares few questions to Redis among all clients that subscribe to all quotes', options, async t => {
  const redis = await startRedis(t)
  const node = await startServer(t, { REDIS_URL: redis.url })
  const { publishAll } = node.app.tickwire
  await publishAll(symbols.map(symbol => quote(symbol, 1)))
  await passedOn(node)
  interface Reading { follower: RuleFollower, newest: Map<string, string>, cut: () => void }
  const subscribe = async (count: number): Promise<Reading[]> => {
    const clients = Array.from({ length: count }, () => {
      const follower = new RuleFollower()
      const newest = new Map<string, string>()
      const client = openClient('ws-json', node.origin, 'subscribe=quotes:*', undefined, {
        onMessage: message => {
          follower.take(message)
          if (message.symbol === undefined) return
          newest.set(message.symbol as string, (message.data as { last: string }).last)
        },
        onCursor: () => {}
      })
      return { follower, newest, cut: () => { client.cut() } }
    })
    for (const { newest } of clients) await until('all states have come', () => newest.size === TOPICS)
    return clients
  }
  const before = await scriptsRun(redis)
  const [alone] = await subscribe(1)
  alone!.cut()
  const forOne = await scriptsRun(redis) - before
  t.ok(forOne < TOPICS / 4, `${forOne} scripts for ${TOPICS} topics`)

  let last = 1
  let appends = 0
  // A machine that is busy with all the clients may refuse some.
  const market = setInterval(() => {
    appends++
    last++
    publishAll(symbols.slice(0, 20).map(symbol => quote(symbol, last))).catch(() => {})
  }, 100)
  const clients = await subscribe(CLIENTS)
  clearInterval(market)
  const forAll = await scriptsRun(redis) - before - forOne - appends
  t.ok(forAll < TOPICS, `${forAll} scripts for ${CLIENTS} clients`)
  const ended = symbols.map(symbol => quote(symbol, ++last))
  await publishAll(ended)
  for (const { follower, newest, cut } of clients) {
    await until('the last message of each has come', () =>
      ended.every(({ symbol, data }) => newest.get(symbol) === (data as { last: string }).last))
    t.same(follower.gaps, [])
    cut()
  }
})

test('fails only the topic whose key is something else', options, async t => {
  const redis = await startRedis(t)
  const log = await openRedisLog(t, redis)
  await log.append(symbols.slice(0, 3).map(symbol => ({ topic: `quotes:${symbol}`, payload: '{}' })))
  await redis.ask(client => client.set('{tw:0}:t:quotes:S1', 'of another program'))
  const [first, strange, third] = await Promise.allSettled(
    ['S0', 'S1', 'S2'].map(symbol => log.snapshot(`quotes:${symbol}`))
  )
  t.match(
    [first, third],
    [
      { status: 'fulfilled', value: { sequence: 1 } },
      { status: 'fulfilled', value: { sequence: 1 } }
    ]
  )
  t.match(strange, { status: 'rejected', reason: { name: 'LogSetupError' } })
})

test('reads large states a few at a time', options, async t => {
  const redis = await startRedis(t)
  const writer = await openRedisLog(t, redis)
  const books = Array.from({ length: 12 }, (_, index) => `book:B${index}`)
  const level = (topic: string, n: number): string =>
    JSON.stringify({ symbol: topic.slice(5), bids: [[String(n), '1']], asks: [], note: 'x'.repeat(200_000) })
  for (const topic of books) {
    for (let n = 1; n <= 4; n++) await writer.append([{ topic, payload: level(topic, n), replaces: n === 1 }])
  }
  // A log that has folded none of these yet.
  const log = await openRedisLog(t, redis)
  const before = await scriptsRun(redis)
  const states = await Promise.all([...books, ...books].map(topic => log.snapshot(topic)))
  const asked = await scriptsRun(redis) - before
  t.ok(asked >= books.length / 2, `${asked} scripts for ${books.length} books of 800 kB`)
  t.same(
    states.map(state => (JSON.parse(state!.payload) as { bids: unknown[] }).bids.length),
    [...books, ...books].map(() => 4)
  )
})

test('keeps the state of a journal for good', options, async t => {
  const redis = await startRedis(t)
  const channels = new Map([...standardChannels, [alertJournal.name, alertJournal]])
  const log = await openRedisLog(t, redis, { channels })
  await log.append([{ topic: alertJournal.name, payload: '{"positions":{}}' }])
  const kept = async (): Promise<string | undefined> =>
    await redis.ask(async client => {
      for (const key of await client.keys('*alerts.journal*')) {
        if (await client.type(key) === 'hash') return key
      }
      return undefined
    })
  let key: string | undefined
  for (const deadline = Date.now() + 20_000; key === undefined && Date.now() < deadline; await delay(20)) {
    key = await kept()
  }
  t.not(key, undefined)
  t.equal(await redis.ask(client => client.ttl(key!)), -1)
})
