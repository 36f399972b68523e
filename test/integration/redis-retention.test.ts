import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { type Message, openClient, RuleFollower, until } from '../helpers/clients.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** What Redis drops by age or because the shard has too many bytes, and what clients hear of it. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

async function start (t: Test, config: object): Promise<{ redis: RedisServer, node: TestServer }> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  return { redis, node: await startServer(t, { REDIS_URL: redis.url, ...config }) }
}

const trade = (node: TestServer, symbol: string, price: number): Promise<void> =>
  publish(node.app, 'trades', symbol, {
    symbol,
    price: String(price),
    size: '1',
    timestamp: '2026-01-01T00:00:00Z'
  })
const book = (node: TestServer, price: number, snapshot = false): Promise<void> =>
  publish(node.app, 'book', 'B', { symbol: 'B', bids: [[String(price), '1']], asks: [] }, { snapshot })

/** Begins or resumes as a client. Returns what came until a marker that is published then. */
async function readUntilMarker (
  node: TestServer, query: string, after?: string
): Promise<{ messages: Message[], cursor: string, follower: RuleFollower }> {
  const messages: Message[] = []
  const follower = new RuleFollower()
  let cursor = ''
  const client = openClient('ws-json', node.origin, `${query}&subscribe=news`, after, {
    onMessage: message => {
      messages.push(message)
      follower.take(message)
    },
    onCursor: text => {
      cursor = text
    }
  })
  await until('the client is live', () => cursor !== '')
  const headline = `marker ${Math.random()}`
  await publish(node.app, 'news', undefined, {
    headline,
    source: 'test',
    symbols: [],
    timestamp: '2026-01-01T00:00:00Z'
  })
  const isMarker = ({ data }: Message): boolean =>
    (data as { headline?: string } | undefined)?.headline === headline
  await until('the marker has come', () => messages.some(isMarker))
  client.cut()
  const data = messages.filter(
    ({ channel, type }) => channel !== undefined && channel !== 'news' && type !== 'subscribed'
  )
  return { messages: data, cursor, follower }
}
const short = (messages: readonly Message[]): string[] => messages.map(message => {
  const { type, channel, symbol, reason, sequence, snapshot } = message
  const what = type === 'reset' ? String(reason) : `${snapshot === true ? 'state ' : ''}${sequence}`
  return `${channel}:${symbol} ${what}`
})

test('drops old messages, retains states, and tells only clients that missed something', options, async t => {
  const { node } = await start(t, { RETENTION_SECONDS: 2 })
  const { log } = node.parts
  await book(node, 1, true)
  const { cursor: early } = await readUntilMarker(
    node,
    'subscribe=trades:*&subscribe=book:*&subscribe=quotes:*'
  )
  for (let price = 1; price <= 20; price++) await trade(node, 'QUIET', price)
  for (let price = 2; price <= 20; price++) await book(node, price)
  await publish(node.app, 'quotes', 'Q', { symbol: 'Q', last: '1' })
  await publish(node.app, 'quotes', 'Q', { symbol: 'Q', last: '2' })
  const { cursor: late } = await readUntilMarker(
    node,
    'subscribe=trades:*&subscribe=book:*&subscribe=quotes:*'
  )
  let held = Infinity
  for (const deadline = Date.now() + 20_000; held > 0 && Date.now() < deadline;) {
    await trade(node, 'BUSY', 1)
    const [trades, books] = [
      await log.read('trades:QUIET', { sequence: 0 }, 100),
      await log.read('book:B', { sequence: 0 }, 100)
    ]
    held = trades.entries.length + books.entries.length
  }
  t.equal(held, 0, 'a quiet topic has no messages left')
  t.match(await log.read('trades:QUIET', { sequence: 0 }, 100), { last: { sequence: 20 }, first: undefined })
  t.equal(
    (await log.read('quotes:Q', { sequence: 0 }, 100)).entries.length,
    1,
    'the last message that is a state is retained'
  )
  t.same(
    JSON.parse((await log.snapshot('book:B'))!.payload).bids.length,
    20,
    'a state that is more than its last message is retained, too'
  )
  t.ok(
    (await log.read('trades:BUSY', { sequence: 0 }, 1_000_000)).first! > 1,
    'a busy topic has lost its oldest messages'
  )

  // This node still has what it passed on; another node must ask the log.
  const { url } = (node.parts.log as unknown as { options: { url: string } }).options
  const other = await startServer(t, { REDIS_URL: url, RETENTION_SECONDS: 2 })
  other.parts.hub.shards[0]!.recent.restart(other.parts.hub.shards[0]!.received)
  const missed = await readUntilMarker(
    other,
    'subscribe=trades:QUIET&subscribe=book:*&subscribe=quotes:*',
    early
  )
  t.same(short(missed.messages).sort(), [
    'book:B history_lost',
    'book:B state 20',
    'quotes:Q history_lost',
    'quotes:Q state 2',
    'trades:QUIET history_lost'
  ])
  t.same(missed.follower.gaps, [])
  const idle = await readUntilMarker(
    other,
    'subscribe=trades:QUIET&subscribe=book:*&subscribe=quotes:*',
    late
  )
  t.same(short(idle.messages), [], 'a client that missed nothing gets nothing')
})

test('drops the oldest messages over all topics of a shard beyond its bytes', options, async t => {
  const { redis, node } = await start(t, { RETENTION_BYTES: 4 * 1024 * 1024, RETENTION_MESSAGES: 100_000 })
  const client = redis.client()
  t.teardown(() => { client.disconnect() })
  const bytes = async (): Promise<number> => {
    const keys = (await client.keys('{tw:0}:t:*')).concat('{tw:0}:recent')
    return (await Promise.all(keys.map(key => client.memory('USAGE', key)))).reduce<number>(
      (sum, size) => sum + (size ?? 0),
      0
    )
  }
  const headline = (n: number): object => ({
    headline: `${n} ${'x'.repeat(300)}`, source: 'test', symbols: [], timestamp: '2026-01-01T00:00:00Z'
  })
  await trade(node, 'OLD', 1)
  let most = 0
  for (let n = 0; n < 40; n++) {
    const items = Array.from({ length: 1000 }, (_, index) => ({
      channel: 'news',
      data: headline(n * 1000 + index)
    }))
    const results = await node.app.tickwire.publishAll(items)
    t.ok(results.every(result => 'sequence' in result))
    most = Math.max(most, await bytes())
  }
  await trade(node, 'NEW', 1)
  const { log } = node.parts
  for (const deadline = Date.now() + 20_000; await bytes() > 4 * 1024 * 1024 && Date.now() < deadline;) {
    await delay(50)
  }
  t.ok(await bytes() <= 4 * 1024 * 1024, `${await bytes()} bytes are left, of ${most} at most`)
  const news = await log.read('news', { sequence: 0 }, 100_000)
  t.equal(news.entries.at(-1)!.sequence, 40_000, 'the newest message is retained')
  t.ok(news.entries.length > 1000 && news.entries.length < 40_000, `${news.entries.length} are left`)
  t.same(
    news.entries.map(({ sequence }) => sequence),
    Array.from({ length: news.entries.length }, (_, index) => news.first! + index),
    'without a hole'
  )
  t.same(
    (await log.read('trades:OLD', { sequence: 0 }, 10)).entries,
    [],
    'older messages of other topics are gone, too'
  )
  t.equal((await log.read('trades:NEW', { sequence: 0 }, 10)).entries.length, 1)
})

test('counts only topics with messages, and continues a topic where it ended', options, async t => {
  const { node } = await start(t, { RETENTION_SECONDS: 1, MAX_TOPICS: 3, MAX_TOPIC_NAMES: 5 })
  const { log } = node.parts
  const append = async (...topics: string[]): Promise<unknown[]> => {
    const results = await log.append(topics.map((topic, n) => ({ topic, payload: `{"n":${n}}` })))
    return results.map(result => 'error' in result ? result.error : result.sequence)
  }
  // Appends beside a quiet topic until its messages are old.
  const untilEmpty = async (topic: string): Promise<void> => {
    const deadline = Date.now() + 20_000
    while ((await log.read(topic, { sequence: 0 }, 10)).first !== undefined) {
      if (Date.now() > deadline) throw new Error(`${topic} was not emptied`)
      await append('quotes:BUSY')
      await delay(20)
    }
  }
  await append('quotes:BUSY')
  t.same(await append('trades:A', 'trades:B', 'trades:C', 'trades:A'), [1, 1, 'overloaded', 2])
  await untilEmpty('trades:A')
  await untilEmpty('trades:B')
  t.same(
    await append('trades:C', 'trades:D', 'trades:A'),
    [1, 1, 'overloaded'],
    'topics without messages make room'
  )
  const last = (await log.read('trades:A', { sequence: 0 }, 10)).last!
  t.equal(last.sequence, 2)
  t.strictSame((await log.topics()).get('trades:A'), last, 'its last position is known')
  await untilEmpty('trades:C')
  await untilEmpty('trades:D')
  t.same(
    await append('trades:A', 'trades:E', 'trades:A'),
    [3, 'overloaded', 4],
    'no sequence is given twice, and names are bounded'
  )
  t.match((await log.read('trades:A', { sequence: 2 }, 10)).entries.slice(0, 1), [
    { sequence: 3, previous: last.offset }
  ])
  // Another trim marks nothing twice.
  for (let round = 0; round < 3; round++) {
    await untilEmpty('trades:A')
    const answers = await append('trades:B', 'trades:C', 'trades:D')
    t.same(answers.filter(answer => answer === 'overloaded').length, 1)
    await untilEmpty('trades:B')
    await untilEmpty('trades:C')
  }
})
