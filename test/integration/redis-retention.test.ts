import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { type Message, openClient, RuleFollower, until } from '../helpers/clients.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** What Redis drops because of its age or because the shard holds too much, and what clients hear of it. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

async function start (t: Test, config: object): Promise<{ redis: RedisServer, node: TestServer }> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  return { redis, node: await startServer(t, { REDIS_URL: redis.url, ...config }) }
}

const trade = (node: TestServer, symbol: string, price: number): Promise<void> =>
  publish(node.app, 'trades', symbol, { symbol, price: String(price), size: '1', timestamp: '2026-01-01T00:00:00Z' })
const book = (node: TestServer, price: number, snapshot = false): Promise<void> =>
  publish(node.app, 'book', 'B', { symbol: 'B', bids: [[String(price), '1']], asks: [] }, { snapshot })

/** What a client is sent that begins or resumes, until it has seen the marker that is published then. */
async function told (node: TestServer, query: string, after?: string): Promise<{ messages: Message[], cursor: string, follower: RuleFollower }> {
  const messages: Message[] = []
  const follower = new RuleFollower()
  let cursor = ''
  const client = openClient('ws-json', node.origin, `${query}&subscribe=news`, after, {
    onMessage: message => { messages.push(message); follower.take(message) }, onCursor: text => { cursor = text }
  })
  await until('it is live', () => cursor !== '')
  const headline = `marker ${Math.random()}`
  await publish(node.app, 'news', undefined, { headline, source: 'test', symbols: [], timestamp: '2026-01-01T00:00:00Z' })
  await until('the marker', () => messages.some(({ data }) => (data as { headline?: string } | undefined)?.headline === headline))
  client.cut()
  return { messages: messages.filter(({ channel, type }) => channel !== undefined && channel !== 'news' && type !== 'subscribed'), cursor, follower }
}
const short = (messages: readonly Message[]): string[] => messages.map(({ type, channel, symbol, reason, sequence, snapshot }) =>
  `${channel}:${symbol} ${type === 'reset' ? String(reason) : `${snapshot === true ? 'state ' : ''}${sequence}`}`)

test('messages that are too old go, states stay, and only who missed something is told', options, async t => {
  const { node } = await start(t, { RETENTION_SECONDS: 2 })
  const { log } = node.parts
  await book(node, 1, true)
  const { cursor: early } = await told(node, 'subscribe=trades:*&subscribe=book:*&subscribe=quotes:*')
  for (let price = 1; price <= 20; price++) await trade(node, 'QUIET', price)
  for (let price = 2; price <= 20; price++) await book(node, price)
  await publish(node.app, 'quotes', 'Q', { symbol: 'Q', last: '1' })
  await publish(node.app, 'quotes', 'Q', { symbol: 'Q', last: '2' })
  const { cursor: late } = await told(node, 'subscribe=trades:*&subscribe=book:*&subscribe=quotes:*')
  let held = Infinity
  for (const deadline = Date.now() + 20_000; held > 0 && Date.now() < deadline;) {
    await trade(node, 'BUSY', 1)
    held = (await log.read('trades:QUIET', { sequence: 0 }, 100)).entries.length + (await log.read('book:B', { sequence: 0 }, 100)).entries.length
  }
  t.equal(held, 0, 'a quiet topic holds nothing any more')
  t.match(await log.read('trades:QUIET', { sequence: 0 }, 100), { last: { sequence: 20 }, first: undefined })
  t.equal((await log.read('quotes:Q', { sequence: 0 }, 100)).entries.length, 1, 'the last message that is a state stays')
  t.same(JSON.parse((await log.snapshot('book:B'))!.payload).bids.length, 20, 'and so does a state that is more than its last message')
  t.ok((await log.read('trades:BUSY', { sequence: 0 }, 1_000_000)).first! > 1, 'a busy topic has lost its oldest')

  // What this node has passed on it still has: another one asks the log.
  const other = await startServer(t, { REDIS_URL: (node.parts.log as unknown as { options: { url: string } }).options.url, RETENTION_SECONDS: 2 })
  other.parts.hub.shards[0]!.recent.restart(other.parts.hub.shards[0]!.received)
  const missed = await told(other, 'subscribe=trades:QUIET&subscribe=book:*&subscribe=quotes:*', early)
  t.same(short(missed.messages).sort(), ['book:B history_lost', 'book:B state 20', 'quotes:Q history_lost', 'quotes:Q state 2', 'trades:QUIET history_lost'])
  t.same(missed.follower.gaps, [])
  const idle = await told(other, 'subscribe=trades:QUIET&subscribe=book:*&subscribe=quotes:*', late)
  t.same(short(idle.messages), [], 'who has missed nothing is sent nothing')
})

test('a shard that holds too much drops its oldest, over all topics', options, async t => {
  const { redis, node } = await start(t, { RETENTION_BYTES: 4 * 1024 * 1024, RETENTION_MESSAGES: 100_000 })
  const client = redis.client()
  t.teardown(() => { client.disconnect() })
  const bytes = async (): Promise<number> => {
    const keys = (await client.keys('{tw:0}:t:*')).concat('{tw:0}:recent')
    return (await Promise.all(keys.map(key => client.memory('USAGE', key)))).reduce<number>((sum, size) => sum + (size ?? 0), 0)
  }
  const headline = (n: number): object => ({ headline: `${n} ${'x'.repeat(300)}`, source: 'test', symbols: [], timestamp: '2026-01-01T00:00:00Z' })
  await trade(node, 'OLD', 1)
  let most = 0
  for (let n = 0; n < 40; n++) {
    const results = await node.app.tickwire.publishAll(Array.from({ length: 1000 }, (_, index) => ({ channel: 'news', data: headline(n * 1000 + index) })))
    t.ok(results.every(result => 'sequence' in result))
    most = Math.max(most, await bytes())
  }
  await trade(node, 'NEW', 1)
  const { log } = node.parts
  for (const deadline = Date.now() + 20_000; await bytes() > 4 * 1024 * 1024 && Date.now() < deadline;) await new Promise(resolve => { setTimeout(resolve, 50) })
  t.ok(await bytes() <= 4 * 1024 * 1024, `${await bytes()} bytes are left, of ${most} at most`)
  const news = await log.read('news', { sequence: 0 }, 100_000)
  t.equal(news.entries.at(-1)!.sequence, 40_000, 'the newest is there')
  t.ok(news.entries.length > 1000 && news.entries.length < 40_000, `${news.entries.length} are left`)
  t.same(news.entries.map(({ sequence }) => sequence), Array.from({ length: news.entries.length }, (_, index) => news.first! + index), 'without a hole')
  t.same((await log.read('trades:OLD', { sequence: 0 }, 10)).entries, [], 'what is older than what is left is gone, of other topics too')
  t.equal((await log.read('trades:NEW', { sequence: 0 }, 10)).entries.length, 1)
})

test('only topics with messages count, and a topic goes on where it ended', options, async t => {
  const { node } = await start(t, { RETENTION_SECONDS: 1, MAX_TOPICS: 3, MAX_TOPIC_NAMES: 5 })
  const { log } = node.parts
  const append = async (...topics: string[]): Promise<unknown[]> => (
    await log.append(topics.map((topic, n) => ({ topic, payload: `{"n":${n}}` })))).map(result => 'error' in result ? result.error : result.sequence)
  // What is quiet grows old by what is appended beside it.
  const emptied = async (topic: string): Promise<void> => {
    const deadline = Date.now() + 20_000
    while ((await log.read(topic, { sequence: 0 }, 10)).first !== undefined) {
      if (Date.now() > deadline) throw new Error(`${topic} was not emptied`)
      await append('quotes:BUSY')
      await delay(20)
    }
  }
  await append('quotes:BUSY')
  t.same(await append('trades:A', 'trades:B', 'trades:C', 'trades:A'), [1, 1, 'overloaded', 2])
  await emptied('trades:A')
  await emptied('trades:B')
  t.same(await append('trades:C', 'trades:D', 'trades:A'), [1, 1, 'overloaded'], 'those without messages make room')
  const last = (await log.read('trades:A', { sequence: 0 }, 10)).last!
  t.equal(last.sequence, 2)
  t.strictSame((await log.topics()).get('trades:A'), last, 'its last position is known')
  await emptied('trades:C')
  await emptied('trades:D')
  t.same(await append('trades:A', 'trades:E', 'trades:A'), [3, 'overloaded', 4], 'no sequence is given twice, and names are bounded')
  t.match((await log.read('trades:A', { sequence: 2 }, 10)).entries.slice(0, 1), [{ sequence: 3, previous: last.offset }])
  // Another trim finds nothing to mark twice.
  for (let round = 0; round < 3; round++) {
    await emptied('trades:A')
    t.same(await append('trades:B', 'trades:C', 'trades:D').then(answers => answers.filter(answer => answer === 'overloaded').length), 1)
    await emptied('trades:B')
    await emptied('trades:C')
  }
})
