import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { type Client, type Message, openClient, transportNames, until } from '../helpers/clients.js'
import { RuleFollower } from '../helpers/clients.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'

/**
 * Two nodes on one Redis: messages published on either are read on both, and a client may move from one to
 * the other.
 */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

async function twoNodes (
  t: Test,
  shards = 3
): Promise<{ redis: RedisServer, nodes: [TestServer, TestServer] }> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const config = { REDIS_URL: redis.url, LOG_SHARDS: shards }
  return { redis, nodes: [await startServer(t, config), await startServer(t, config)] }
}

const trade = (node: TestServer, symbol: string, price: number): Promise<void> =>
  publish(node.app, 'trades', symbol, {
    symbol,
    price: String(price),
    size: '1',
    timestamp: '2026-01-01T00:00:00Z'
  })

const sequences = (follower: RuleFollower, symbol: string): number[] =>
  follower.accepted.filter(message => message.symbol === symbol).map(({ sequence }) => sequence!)
const range = (to: number): number[] => Array.from({ length: to }, (_, index) => index + 1)

test('delivers every message of either node on both, in order', options, async t => {
  const { nodes } = await twoNodes(t)
  const followers = new Map<string, RuleFollower>()
  for (const [index, node] of nodes.entries()) {
    for (const transport of transportNames) {
      const follower = new RuleFollower()
      followers.set(`node ${index + 1}, ${transport}`, follower)
      const client = openClient(transport, node.origin, 'subscribe=trades:*', undefined, {
        onMessage: message => {
          follower.take(message)
        },
        onCursor: () => {}
      })
      t.teardown(() => { client.cut() })
    }
  }
  await until('all are there', () =>
    nodes.every(node => subscribers(node, 'trades:A') === transportNames.length)
  )
  for (let price = 1; price <= 100; price++) {
    for (const symbol of ['A', 'B', 'C']) await trade(nodes[price % 2]!, symbol, price)
  }
  await until('all have everything', () =>
    [...followers.values()].every(({ accepted }) => accepted.length === 300)
  )
  for (const [name, follower] of followers) {
    t.same(follower.gaps, [], name)
    for (const symbol of ['A', 'B', 'C']) {
      t.same(sequences(follower, symbol), range(100), `${name}: ${symbol}`)
    }
  }
})

test('resumes a client that was cut on the other node, by another transport, without gap or duplicate', options, async t => {
  const { nodes } = await twoNodes(t)
  const follower = new RuleFollower()
  let cursor: string | undefined
  /** The last message of topic A that had come before the cursor. */
  let covered: number | undefined
  let client: Client | undefined
  const resets: Message[] = []
  for (let turn = 0; turn < 12; turn++) {
    const transport = transportNames[turn % transportNames.length]!
    const node = nodes[turn % 2]!
    const before = follower.duplicates
    client = openClient(transport, node.origin, 'subscribe=trades:*', cursor, {
      onMessage: message => { if (message.type === 'reset') resets.push(message); follower.take(message) },
      onCursor: text => {
        cursor = text
        covered = sequences(follower, 'A').at(-1)
      }
    })
    if (turn === 0) await until('a first cursor has come', () => cursor !== undefined)
    for (let n = 1; n <= 5; n++) await trade(nodes[n % 2]!, 'A', turn * 5 + n)
    await until('everything so far has come', () => covered === (turn + 1) * 5)
    t.equal(follower.duplicates, before, `${transport}: nothing twice`)
    client.cut()
    await trade(nodes[(turn + 1) % 2]!, 'B', turn)
  }
  t.same(sequences(follower, 'A'), range(60))
  t.same(follower.gaps, [])
  t.same(resets, [])
})

test('loses nothing when links to Redis break, and tells all of a new epoch when Redis restarts empty', options, async t => {
  const { redis, nodes } = await twoNodes(t, 1)
  const follower = new RuleFollower()
  const client = openClient('ws-json', nodes[0].origin, 'subscribe=trades:*', undefined, {
    onMessage: message => {
      follower.take(message)
    },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  await until('the client is there', () => subscribers(nodes[0], 'trades:A') === 1)
  const control = redis.client()
  t.teardown(() => { control.disconnect() })
  for (let price = 1; price <= 200; price++) {
    await trade(nodes[1], 'A', price)
    if (price % 20 === 0) await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  }
  await until('all have come, whatever was lost on the way', () => sequences(follower, 'A').length === 200)
  t.same(sequences(follower, 'A'), range(200))
  t.same(follower.resets, [])

  await redis.kill()
  const data = { symbol: 'A', price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' }
  const refused = await nodes[1].app.tickwire.publishAll([{ channel: 'trades', symbol: 'A', data }])
    .then(() => 'taken', (error: { code: string }) => error.code)
  t.equal(refused, 'log_unavailable')
  await redis.start()
  for (let taken = false; !taken; await delay(20)) {
    taken = await trade(nodes[1], 'A', 1).then(() => true, () => false)
  }
  await until('the client is told', () => follower.resets.length === 1)
  await until('the client goes on', () =>
    follower.accepted.at(-1)!.sequence === 1 && follower.accepted.length > 200)
  t.match(follower.resets, [{ channel: 'trades', symbol: 'A', reason: 'epoch_changed' }])
})
