import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { connectAll, connectRedis } from '../../src/log/redis/connect.js'
import { ShardListener } from '../../src/log/redis/tail/listener.js'
import { slotOf } from '../../src/log/redis/masters/slot.js'
import { until } from '../helpers/clients.js'
import { Choices } from '../helpers/random.js'
import { type ClusterNode, RedisCluster } from '../helpers/redis-cluster.js'
import { RedisSentinel } from '../helpers/redis-sentinel.js'
import { openRedisLog } from '../helpers/redis-log.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'

/**
 * How commands find the masters of Sentinels and of a Redis Cluster while these change, and what is heard
 * from them.
 */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000 } as const
/** Generous, because a machine may be busy. */
const SOON_MS = 20_000

const channelOf = (shard: number): string => `{listened:${shard}}:live`

async function anotherMaster (cluster: RedisCluster, key: string): Promise<ClusterNode> {
  const from = await cluster.holderOf(key)
  return (await cluster.masters()).find(master => master !== from)!
}

test('computes the slots of Redis', options, async t => {
  const redis = await RedisServer.start(['--cluster-enabled', 'yes'])
  t.teardown(() => redis.close())
  const random = new Choices(7)
  const pieces = ['{', '}', 'a', 'é', '\n', ':', '…']
  const randomKey = (): string =>
    Array.from({ length: random.integer(0, 12) }, () => random.pick(pieces)).join('')
  const keys = [
    '', '{', '}', '{}', '{}a', 'a{b}c', 'a{b}{c}', '{a', 'a}b{c}', '{{a}}', '{tw:31}:meta', 'é{ü}',
    ...Array.from({ length: 300 }, randomKey)
  ]
  const slots = await redis.ask(client =>
    Promise.all(keys.map(key => client.call('CLUSTER', 'KEYSLOT', key)))
  )
  t.same(keys.map(slotOf), slots)
})

test('Sentinels: believes the one that leads a failover, and does not go to an old master that comes back', options, async t => {
  const group = await RedisSentinel.start()
  t.teardown(() => group.close())
  const { writer, close } = await connectRedis({ url: group.url, keyPrefix: 'tw' })
  t.teardown(close)
  const old = await group.master()
  await old.kill()
  const promoted = await group.failedOver(old)
  await old.start()
  const seen: string[] = []
  await until('commands go to the promoted one', () =>
    writer.of('key')?.status === 'ready' && writer.all()[0]!.name === `127.0.0.1:${promoted.port}`, SOON_MS)
  for (let asked = 0; asked < 20; asked++) {
    seen.push(/tcp_port:(\d+)/.exec(await writer.send('key', redis => redis.info('server')))![1]!)
    await delay(20)
  }
  t.same([...new Set(seen)], [String(promoted.port)])
})

test('Sentinels: moves all connections at a failover by hand, and repeats what the old master refused', options, async t => {
  const group = await RedisSentinel.start()
  t.teardown(() => group.close())
  const { writer, reader, close } = await connectRedis({ url: group.url, keyPrefix: 'tw' })
  t.teardown(close)
  const old = await group.master()
  await group.failOver()
  const promoted = await group.failedOver(old)
  await until(
    'all go to the promoted one',
    () =>
      [writer, reader].every(
        masters =>
          masters.of('key')?.status === 'ready' && masters.all()[0]!.name === `127.0.0.1:${promoted.port}`
      ),
    SOON_MS
  )
  await writer.send('key', redis => redis.set('key', 'value'))
  t.equal(await promoted.ask(redis => redis.get('key')), 'value')
})

test('Redis Cluster: finds a moved slot by the first command, and leaves the others', options, async t => {
  const cluster = await RedisCluster.start()
  t.teardown(() => cluster.close())
  const { asked, close } = await connectAll({ url: cluster.url, keyPrefix: 'tw' }, ['asked'], {
    commandTimeout: 5000
  })
  t.teardown(close)
  const key = '{moved}:1'
  await asked.send(key, redis => redis.set(key, 'before'))
  await cluster.moveSlot(key, await anotherMaster(cluster, key), async () => {})
  t.equal(await asked.send(key, redis => redis.get(key)), 'before', 'it follows MOVED')
  let redirections = 0
  asked.each(redis => {
    const { handleReconnection } = redis as unknown as {
      handleReconnection(error: Error, item: unknown): void
    }
    Object.assign(redis, {
      handleReconnection (error: Error, item: unknown) {
        redirections++
        handleReconnection.call(redis, error, item)
      }
    })
  })
  for (let n = 0; n < 10; n++) await asked.send(key, redis => redis.set(key, String(n)))
  t.equal(redirections, 0, 'it knows the slot from then on')

  // In the middle of a move, a key that has gone already is read where it is.
  const [from, to] = [await cluster.holderOf(key), await anotherMaster(cluster, key)]
  const slot = slotOf(key)
  await to.server.ask(redis => redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id))
  await from.server.ask(async redis => {
    await redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
    await redis.call('MIGRATE', '127.0.0.1', to.port, key, 0, 5000)
  })
  t.equal(await asked.send(key, redis => redis.get(key)), '9', 'it follows ASK')
})

test('Redis Cluster: hears a shard wherever it moves, and reports that texts may be missing', options, async t => {
  const cluster = await RedisCluster.start()
  t.teardown(() => cluster.close())
  const { subscriber, commands, close } = await connectAll(
    { url: cluster.url, keyPrefix: 'tw' },
    ['subscriber', 'commands'],
    { commandTimeout: 5000 }
  )
  t.teardown(close)
  const shards = [0, 1, 2, 3, 4, 5]
  const heard = new Map(shards.map(shard => [shard, [] as string[]]))
  const missed: number[] = []
  const listener = new ShardListener(subscriber, shards.map(channelOf), {
    onText: (shard, text) => { heard.get(shard)!.push(text) },
    onMissed: shard => { missed.push(shard) }
  })
  t.teardown(() => { listener.close() })
  let texts = 0
  /** Publishes texts until one is heard. */
  const say = async (shard: number): Promise<void> => {
    const channel = channelOf(shard)
    const deadline = Date.now() + SOON_MS
    for (;;) {
      const text = String(++texts)
      await commands.send(channel, redis => redis.spublish(channel, text)).catch(() => {})
      for (let looks = 0; looks < 10 && !heard.get(shard)!.includes(text); looks++) await delay(5)
      if (heard.get(shard)!.includes(text)) return
      if (Date.now() > deadline) throw new Error(`shard ${shard} is not heard`)
    }
  }
  for (const shard of shards) await listener.listen(shard)
  for (const shard of shards) await say(shard)
  t.same(missed, [], 'nothing was missed')

  const channel = channelOf(0)
  await cluster.moveSlot(channel, await anotherMaster(cluster, channel), async () => {})
  await say(0)
  t.ok(missed.includes(0), 'a move is reported')
  for (const shard of shards) await say(shard)

  const { server } = await cluster.holderOf(channel)
  await server.kill()
  await cluster.failedOver(server, channel)
  await say(0)
  for (const shard of shards) await say(shard)

  missed.length = 0
  listener.unlisten(0)
  await until('nobody listens to it', () => true)
  const before = heard.get(0)!.length
  for (let n = 0; n < 5; n++) await commands.send(channel, redis => redis.spublish(channel, 'unheard'))
  for (const shard of shards.slice(1)) await say(shard)
  t.equal(heard.get(0)!.length, before, 'an unwanted text is not heard')
  await Promise.all([listener.listen(0), listener.listen(0)])
  await say(0)
})

test('listens anew to a shard that became deaf without a word', options, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const log = await openRedisLog(t, redis, {
    retention: { messages: 1000, seconds: 60, bytes: 1e7 },
    maxTopics: 10
  })
  const told: number[] = []
  await log.tail(0, ({ entries }) => { told.push(...entries.map(({ offset }) => offset)) })
  const listeners = async (): Promise<number> => {
    const counts = await redis.ask(client => client.call('PUBSUB', 'SHARDNUMSUB', '{tw:0}:live'))
    return Number((counts as unknown[])[1])
  }
  const { connections } = log as unknown as { connections: Awaited<ReturnType<typeof connectRedis>> }
  await connections.subscriber.of('{tw:0}:live')!.sunsubscribe('{tw:0}:live')
  t.equal(await listeners(), 0, 'nobody listens')
  let appended = 0
  const deadline = Date.now() + SOON_MS
  while (await listeners() === 0 && Date.now() < deadline) {
    await log.append([{ topic: 'news', payload: '{}' }])
    appended++
    await delay(20)
  }
  t.equal(await listeners(), 1, 'somebody listens again')
  await until('everything was passed on', () => told.length === appended, SOON_MS)
  t.same(told, Array.from({ length: appended }, (_, index) => index + 1), 'in order, each once')
})

test('sends a master the scripts again that it has forgotten, and keeps the order', options, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const log = await openRedisLog(t, redis, {
    retention: { messages: 10_000, seconds: 60, bytes: 1e8 },
    maxTopics: 10
  })
  const answers: Array<Promise<unknown>> = []
  for (let number = 1; number <= 2000; number++) {
    answers.push(log.append([{ topic: 'trades:A', payload: String(number) }]))
    if (number % 100 === 0) {
      answers.push(redis.ask(client => client.script('FLUSH')))
      answers.push(log.read('trades:A', { sequence: 0 }, 1), log.snapshot('trades:A'))
    }
    if (number % 5 === 0) await new Promise(resolve => { setImmediate(resolve) })
  }
  await Promise.all(answers)
  const { entries } = await log.read('trades:A', { sequence: 0 }, 10_000)
  t.same(entries.map(({ payload }) => Number(payload)), Array.from({ length: 2000 }, (_, index) => index + 1))
})

test('appends each message once and in order while a slot moves', options, async t => {
  const cluster = await RedisCluster.start()
  t.teardown(() => cluster.close())
  const log = await openRedisLog(t, cluster, { retention: { messages: 100_000, seconds: 600, bytes: 1e9 } })
  // Many keys, so that the slot moves for some time.
  for (let topic = 0; topic < 10; topic++) {
    await log.append(
      Array.from({ length: 20 }, (_, index) => ({ topic: `trades:${topic}-${index}`, payload: '0' }))
    )
  }
  const random = new Choices(3)
  const taken: number[] = []
  const answers: Array<Promise<unknown>> = []
  const slot = { moving: true }
  const moved = (async () => {
    for (let move = 0; move < 4; move++) {
      await cluster.moveSlot('{tw:0}:meta', await anotherMaster(cluster, '{tw:0}:meta'), () =>
        delay(random.integer(0, 20))
      )
      await cluster.settled()
    }
    slot.moving = false
  })()
  // Some have a key that does not exist yet: a moving slot takes a command only while all its keys are on one
  // side.
  for (let number = 1; slot.moving; number++) {
    const idempotencyKey = number % 100 === 0 ? String(number) : undefined
    answers.push(
      log.append([{ topic: 'trades:A', payload: String(number), idempotencyKey }]).then(
        () => {
          taken.push(number)
        },
        () => {}
      )
    )
    // Close together, each in a batch of its own.
    if (number % 10 === 0) await delay(2)
    else await new Promise(resolve => { setImmediate(resolve) })
  }
  await moved
  await Promise.all(answers)
  const { entries } = await log.read('trades:A', { sequence: 0 }, 1_000_000)
  const stored = entries.map(({ payload }) => Number(payload))
  t.same(stored, [...new Set(stored)].sort((a, b) => a - b), `${stored.length} are in order, each once`)
  const kept = new Set(stored)
  t.same(
    taken.filter(number => !kept.has(number)),
    [],
    `${taken.length} of ${answers.length} were acknowledged, and are there`
  )
  t.ok(taken.length > 100)
})
