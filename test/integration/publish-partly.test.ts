import { randomUUID } from 'node:crypto'
import { type Test, test } from 'tap'
import { COMMON_SHARD } from '../../src/log/log.js'
import { runCommand } from '../helpers/command.js'
import { RedisCluster } from '../helpers/redis-cluster.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'

/**
 * A publish that only some shards of the log take: each message gets its own answer, and those that were not
 * taken are sent again.
 */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

const SHARDS = 4

interface Item {
  readonly channel: string
  readonly symbol: string
  readonly data: object
  readonly idempotency_key?: string
}
interface Rejection { readonly index: number, readonly code: string, readonly message: string }
interface Answer {
  readonly accepted: number
  readonly rejected: readonly Rejection[]
  readonly sequences: ReadonlyArray<number | null>
}

const symbols = Array.from({ length: 24 }, (_, index) => `S${index}`)
const itemOf = (symbol: string, key?: string): Item => ({
  channel: 'trades',
  symbol,
  data: { symbol, price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' },
  ...(key === undefined ? {} : { idempotency_key: key })
})

async function post (node: TestServer, items: readonly Item[]): Promise<{ status: number, answer: Answer }> {
  const response = await fetch(`${node.origin}/v1/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${node.token()}`, 'content-type': 'application/json' },
    body: JSON.stringify(items)
  })
  return { status: response.status, answer: await response.json() as Answer }
}

async function countRetained (node: TestServer): Promise<number[]> {
  return await Promise.all(
    symbols.map(
      async symbol => (await node.parts.log.read(`trades:${symbol}`, { sequence: 0 }, 100)).entries.length
    )
  )
}

const once = symbols.map(() => 1)

/**
 * Starts a server whose log cannot take one topic, because another program has put something else under its
 * key.
 */
async function withStrangeKey (
  t: Test
): Promise<{ node: TestServer, isStrange: (symbol: string) => boolean, mend: () => Promise<unknown> }> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const node = await startServer(t, { REDIS_URL: redis.url, LOG_SHARDS: SHARDS })
  const shardOf = (symbol: string): number => node.parts.log.shardOf(`trades:${symbol}`)
  const victim = symbols.find(symbol => shardOf(symbol) !== COMMON_SHARD)!
  const key = `{tw:${shardOf(victim)}}:t:trades:${victim}`
  await redis.ask(client => client.set(key, 'of another program'))
  return {
    node,
    isStrange: symbol => shardOf(symbol) === shardOf(victim),
    mend: () => redis.ask(client => client.del(key))
  }
}

test('rejects the messages of a shard that takes nothing one by one, takes the others, and doubles none', options, async t => {
  const { node, isStrange, mend } = await withStrangeKey(t)
  const items = symbols.map(symbol => itemOf(symbol))
  const { status, answer } = await post(node, items)
  const wanted = symbols.flatMap((symbol, index) => isStrange(symbol) ? [index] : [])
  t.equal(status, 200)
  t.ok(wanted.length > 0 && wanted.length < symbols.length)
  t.same(
    answer.rejected.map(({ index, code }) => ({ index, code })),
    wanted.map(index => ({ index, code: 'log_unavailable' }))
  )
  t.equal(answer.accepted, symbols.length - wanted.length)
  t.same(answer.sequences, symbols.map(symbol => isStrange(symbol) ? null : 1))
  const none = await post(node, wanted.map(index => items[index]!))
  t.match(
    none,
    { status: 503, answer: { code: 'log_unavailable' } },
    'if nothing was taken, the answer refuses the whole'
  )
  await mend()
  t.match(
    await post(
      node,
      wanted.map(index => items[index]!)
    ),
    { status: 200, answer: { accepted: wanted.length, rejected: [] } }
  )
  t.same(await countRetained(node), once)
})

test('the command sends again what a part of the log did not take, and nothing else', options, async t => {
  const { node, mend } = await withStrangeKey(t)
  const input = symbols.map(symbol => JSON.stringify(itemOf(symbol))).join('\n')
  const args = ['publish', '--file', '-', '--url', node.origin]
  const run = runCommand(args, { TICKWIRE_TOKEN: node.token() }, input)
  for (let taken = 0; taken === 0;) taken = (await node.parts.log.topics()).size
  await mend()
  t.match(await run, { code: 0, out: /24 accepted, 0 rejected/ })
  t.same(await countRetained(node), once)
})

test('rejects the messages of a master that is silent for a while, and doubles none that has a key', options, async t => {
  const cluster = await RedisCluster.start(undefined, 60_000)
  t.teardown(() => cluster.close())
  const node = await startServer(t, { REDIS_URL: cluster.url, LOG_SHARDS: 8 })
  await post(node, symbols.map(symbol => itemOf(symbol, 'first')))
  const silent = (await cluster.holderOf(`{tw:${node.parts.log.shardOf('trades:S1')}}:meta`)).server
  const items = symbols.map(symbol => itemOf(symbol, randomUUID()))
  process.kill(silent.pid, 'SIGSTOP')
  let first
  try {
    first = await post(node, items)
  } finally {
    process.kill(silent.pid, 'SIGCONT')
  }
  t.equal(first.status, 200)
  const { rejected } = first.answer
  t.ok(rejected.some(({ index }) => index === 1), 'the messages of the silent master are rejected')
  t.ok(rejected.length < symbols.length, 'the rest is taken')
  t.ok(rejected.every(({ code, message }) => code === 'log_unavailable' && /may have/.test(message)))
  let left = rejected.map(({ index }) => items[index]!)
  for (let tries = 0; left.length > 0 && tries < 50; tries++) {
    const { status, answer } = await post(node, left)
    if (status === 200) left = answer.rejected.map(({ index }) => left[index]!)
  }
  t.same(await countRetained(node), symbols.map(() => 2))
})
