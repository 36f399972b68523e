import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { type Test, test } from 'tap'
import { COMMON_SHARD } from '../../src/log/log.js'
import { openClient, openWebSocket, RuleFollower, until } from '../helpers/clients.js'
import { Choices } from '../helpers/random.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { type Connect, ShardClient, Truth } from '../helpers/shard-clients.js'
import { startServer, type TestServer } from '../helpers/server.js'

/** Nodes that share a log of 16 shards, and follow the shards that their clients need. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const
const SHARDS = 16

const all = Array.from({ length: SHARDS }, (_, shard) => shard)
const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, number) => total + number, 0)

async function startNodes (
  t: Test,
  count: number
): Promise<{ redis: RedisServer, control: Redis, nodes: readonly TestServer[] }> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const control = redis.client()
  t.teardown(() => {
    control.disconnect()
  })
  const nodes = await Promise.all(
    Array.from({ length: count }, () => startServer(t, { REDIS_URL: redis.url, LOG_SHARDS: SHARDS, BROKER: 'none' }))
  )
  return { redis, control, nodes }
}

/** Finds the same number of topics in each shard. */
function topicsByShard ({ parts: { log } }: TestServer, each: number): ReadonlyArray<readonly string[]> {
  const found: string[][] = all.map(() => [])
  for (let n = 1000; found.some(topics => topics.length < each); n++) {
    const topics = found[log.shardOf(`trades:T${n}`)]!
    if (topics.length < each) topics.push(`T${n}`)
  }
  return found
}

/** Returns how many connections listen to each shard. */
async function listening (control: Redis): Promise<number[]> {
  const answer = (await control.call(
    'PUBSUB',
    'SHARDNUMSUB',
    ...all.map(shard => `{tw:${shard}}:live`)
  )) as Array<string | number>
  return all.map(shard => Number(answer[2 * shard + 1]))
}

/** Counts what Redis publishes to a node: the messages, and the bytes that its listening connection reads. */
function heard ({ parts: { log } }: TestServer): { messages: number, bytes: () => number } {
  const { connections } = log as unknown as { connections: { subscriber: { all (): [{ redis: Redis }] } } }
  const [{ redis: subscriber }] = connections.subscriber.all()
  const { stream } = subscriber as unknown as { stream: { bytesRead: number } }
  const before = stream.bytesRead
  const counted = { messages: 0, bytes: () => stream.bytesRead - before }
  subscriber.on('smessage', () => { counted.messages++ })
  return counted
}

const publish = async ({ app }: TestServer, symbols: readonly string[], round: number): Promise<void> => {
  const results = await app.tickwire.publishAll(symbols.map(symbol => {
    const data = { symbol, price: String(1000 + round), size: '1', timestamp: '2026-01-01T00:00:00Z' }
    return { channel: 'trades', symbol, data }
  }))
  for (const result of results) if ('code' in result) throw new Error(result.message)
}

test('receives only the shards that its clients want, 4 of 16', options, async t => {
  const { control, nodes } = await startNodes(t, 3)
  const [publishing, some, every] = nodes as [TestServer, TestServer, TestServer]
  t.same(
    await listening(control),
    all.map(shard => shard === COMMON_SHARD ? 3 : 0),
    'nobody wants anything: each node follows the common shard'
  )

  const symbols = topicsByShard(some, 3)
  const wanted = [COMMON_SHARD, 3, 7, 12]
  const followers = new Map<TestServer, RuleFollower>()
  for (const [node, subscribe] of [[some, wanted.flatMap(shard => symbols[shard]!).join(',')], [every, '*']] as const) {
    const follower = new RuleFollower()
    followers.set(node, follower)
    const begun: string[] = []
    const client = openClient('ws-json', node.origin, `subscribe=trades:${subscribe}`, undefined, {
      onMessage: message => {
        begun.push(message.type)
        follower.take(message)
      },
      onCursor: () => {}
    })
    t.teardown(() => { client.cut() })
    await until('it is subscribed', () => begun.includes('subscribed'))
  }
  t.same(
    await listening(control),
    all.map(shard => shard === COMMON_SHARD ? 3 : wanted.includes(shard) ? 2 : 1)
  )

  const counts = new Map(nodes.map(node => [node, { ...node.parts.counters }]))
  const wires = new Map(nodes.map(node => [node, heard(node)]))
  const ROUNDS = 50
  for (let round = 0; round < ROUNDS; round++) await publish(publishing, symbols.flat(), round)
  const accepted = (node: TestServer): number => followers.get(node)!.accepted.length
  await until('all have everything', () =>
    accepted(some) === wanted.length * 3 * ROUNDS && accepted(every) === SHARDS * 3 * ROUNDS)
  for (const follower of followers.values()) {
    t.same([follower.gaps, follower.resets, follower.duplicates], [[], [], 0])
  }

  const received = (node: TestServer): number => node.parts.counters.received - counts.get(node)!.received
  const batches = (node: TestServer): number => node.parts.counters.batches - counts.get(node)!.batches
  const messages = (node: TestServer): number => wires.get(node)!.messages
  const bytes = (node: TestServer): number => wires.get(node)!.bytes()
  const figures = [publishing, some, every]
    .map(node => [received(node), batches(node), messages(node), bytes(node)].join(' ')).join('; ')
  t.comment(
    `of ${SHARDS * 3 * ROUNDS} messages in ${SHARDS * ROUNDS} batches: messages, batches, published to it, bytes: ${figures}`
  )
  t.same(
    [received(every), batches(every), messages(every)],
    [SHARDS * 3 * ROUNDS, SHARDS * ROUNDS, SHARDS * ROUNDS]
  )
  t.same(
    [received(some), batches(some), messages(some)],
    [wanted.length * 3 * ROUNDS, wanted.length * ROUNDS, wanted.length * ROUNDS]
  )
  t.same(
    [received(publishing), batches(publishing), messages(publishing)], [3 * ROUNDS, ROUNDS, ROUNDS],
    'the publishing node hears no more than the common shard'
  )
  const share = bytes(some) / bytes(every)
  t.ok(share > 0.2 && share < 0.3, `a quarter of the bytes: ${share.toFixed(3)}`)
})

test('judges exactly what happened in shards that a node did not follow', options, async t => {
  const { redis, control, nodes } = await startNodes(t, 2)
  const [first, second] = nodes as [TestServer, TestServer]
  const symbols = topicsByShard(first, 1).map(([symbol]) => symbol!)
  await publish(first, symbols, 0)

  // Known from the log alone: the node hears nothing of that shard.
  const strict = await startServer(t, { REDIS_URL: redis.url, LOG_SHARDS: SHARDS, UNKNOWN_SYMBOLS: 'reject', BROKER: 'none' })
  interface Body { code?: string, epoch?: string, messages?: unknown[], cursor?: string }
  const ask = async (path: string): Promise<{ status: number, body: Body }> => {
    const response = await fetch(`${strict.origin}${path}`)
    return { status: response.status, body: await response.json() as Record<string, never> }
  }
  t.equal((await ask(`/v1/stream?subscribe=trades:${symbols[5]}`)).status, 200, 'a topic with a message')
  t.match(await ask('/v1/stream?subscribe=trades:NOBODY'), { status: 400, body: { code: 'unknown_symbol' } })
  const post = async (symbol: string): Promise<unknown> =>
    await (
      await fetch(`${strict.origin}/v1/publish`, {
        method: 'POST',
        body: JSON.stringify({
          channel: 'trades',
          symbol,
          data: { symbol, price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' }
        }),
        headers: { authorization: `Bearer ${strict.token()}`, 'content-type': 'application/json' }
      })
    ).json()
  t.match(await post(symbols[6]!), { accepted: 1, sequences: [2] })
  t.match(await post('NOBODY'), { accepted: 0, rejected: [{ code: 'unknown_symbol' }] })
  t.equal((await listening(control))[6], 0, 'nobody had to follow the shard for that')

  // A cursor of a node that followed the shard, after a new epoch that the other node slept through.
  const shard = 9
  const symbol = symbols[shard]!
  const follower = new RuleFollower()
  let cursor: string | undefined
  const open = (node: TestServer): ReturnType<typeof openClient> =>
    openClient('ws-json', node.origin, `subscribe=trades:${symbol}`, cursor, {
      onMessage: message => {
        follower.take(message)
      },
      onCursor: text => {
        cursor = text
      }
    })
  let client = open(first)
  await until('the client has a cursor', () => cursor !== undefined)
  await publish(first, [symbol], 1)
  await until('the message has come', () => follower.accepted.length === 1)
  client.cut()
  await control.hset(`{tw:${shard}}:meta`, 'run', 'a process that is gone')
  await publish(second, [symbol], 2)
  cursor = cursor!
  client = open(second)
  await until('the missed message has come', () => follower.accepted.at(-1)?.sequence === 3)
  t.same([follower.gaps, follower.resets], [[], []], 'nothing was lost, so nothing is reset')
  client.cut()

  const history = await ask(`/v1/history?topic=trades:${symbol}&after=2&limit=1`)
  t.match(history, { status: 200, body: { messages: [{ sequence: 3 }] } })
  const again = await ask(
    `/v1/history?topic=trades:${symbol}&after=3&epoch=${encodeURIComponent(history.body.epoch!)}`
  )
  t.match(
    again,
    { status: 200, body: { messages: [] } },
    'the epoch that it gives is that of the log, even for a sleeping shard'
  )
})

test('sends each message once to clients that come and go while shards wake and sleep', { ...options, timeout: 200_000 }, async t => {
  const { control, nodes } = await startNodes(t, 2)
  for (const { parts } of nodes) {
    const { options } = parts.hub.interest as unknown as { options: { lingerMs: number } }
    Object.assign(options, { lingerMs: 5 })
  }
  const log = nodes[0]!.parts.log
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
  t.comment(`repeat with SEED=${seed}`)
  const choices = new Choices(seed)
  const topics = topicsByShard(nodes[0]!, 3).flat().map(symbol => `trades:${symbol}`)
  const truth = new Truth(topic => log.shardOf(topic))
  const clients = Array.from({ length: 12 }, (_, index) => new ShardClient(`client ${index}`, truth))
  const countAwake = ({ parts }: TestServer): number =>
    parts.hub.shards.filter(({ isAwake }) => isAwake).length
  const begun = (): number => sum(nodes.map(countAwake))
  const connect = (node: TestServer): Connect => onMessage => {
    const waiting: object[] = []
    const client = openWebSocket(node.origin, '', 'tickwire.v1.json', {
      onMessage, onCursor: cursor => { onMessage({ type: 'cursor', cursor }) }
    })
    client.socket.on('open', () => { for (const message of waiting.splice(0)) client.send(message) })
    return {
      say: message => {
        if (client.socket.readyState === client.socket.OPEN) client.send(message)
        else waiting.push(message)
      },
      cut: () => { client.cut() }
    }
  }
  const appends: Array<Promise<void>> = []
  const append = async (): Promise<void> => {
    const some = [...new Set(Array.from({ length: choices.integer(1, 8) }, () => choices.pick(topics)))]
    for (const topic of some) truth.given.set(topic, (truth.given.get(topic) ?? 0) + 1)
    await publish(choices.pick(nodes), some.map(topic => topic.split(':')[1]!), truth.given.size)
  }
  let [most, least] = [0, 2 * SHARDS]
  for (let step = 0; step < 1500; step++) {
    const client = choices.pick(clients)
    const chance = choices.next()
    if (chance < 0.3) appends.push(append())
    else if (chance < 0.5) client.subscribe(choices.pick(topics))
    else if (chance < 0.68) client.unsubscribe(choices.pick([...client.ledger.held.keys(), 'trades:NONE']))
    else if (chance < 0.74) client.close()
    else if (chance < 0.84) client.open(connect(choices.pick(nodes)))
    else if (chance < 0.845) await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    else await delay(choices.integer(0, 10))
    most = Math.max(most, begun())
    least = Math.min(least, begun())
  }
  await Promise.all(appends)
  for (const client of clients) client.open(connect(choices.pick(nodes)))
  const wrong = (): string[] => clients.flatMap(({ ledger }) => ledger.missing())
  await until('all have everything', () => wrong().length === 0, 20_000).catch(() => {})
  t.same(wrong(), [])
  t.same(clients.flatMap(({ ledger }) => ledger.failures), [])
  t.equal(sum(clients.map(({ ledger }) => ledger.resets)), 0)
  t.comment(
    `${sum(clients.map(({ ledger }) => ledger.messages))} messages; both nodes together followed ${least} to ${most} shards`
  )
  t.ok(most > least + 8, 'shards woke and slept')
  for (const client of clients) client.close()
  await until('nobody needs a shard any more', () => begun() === 2)
})
