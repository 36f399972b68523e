import type { Redis } from 'ioredis'
import { type Test, test } from 'tap'
import { type Client, openClient, RuleFollower, until } from '../helpers/clients.js'
import { RedisCluster } from '../helpers/redis-cluster.js'
import { RedisSentinel } from '../helpers/redis-sentinel.js'
import { redisProgram } from '../helpers/redis-server.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'

/** Two nodes over Sentinels and over a Redis Cluster, whose masters end and are replaced. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000 } as const

const SHARDS = 6
/** Transports that stay open while the log is away; a poll gets 503. */
const STREAMS = ['ws-json', 'ws-batch', 'sse'] as const
const SYMBOLS = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L']

interface Group {
  readonly url: string
  /** Ends a master when its replicas have everything that it has. */
  endMaster (): Promise<void>
}

/**
 * Waits until the replicas have all earlier writes. Redis waits for writes of the same connection only, hence
 * the key.
 */
async function untilReplicated (redis: Redis, key: string, replicas: number): Promise<void> {
  await redis.set(key, '')
  await redis.wait(replicas, 0)
}

const groups: Readonly<Record<string, (t: Test) => Promise<Group>>> = {
  async Sentinels (t) {
    const group = await RedisSentinel.start()
    t.teardown(() => group.close())
    return {
      url: group.url,
      async endMaster () {
        const master = await group.master()
        await master.ask(redis => untilReplicated(redis, 'until here', 2))
        await master.kill()
        await group.failedOver(master)
      }
    }
  },
  async 'a Redis Cluster' (t) {
    const cluster = await RedisCluster.start()
    t.teardown(() => cluster.close())
    return {
      url: cluster.url,
      async endMaster () {
        const key = '{tw:0}:meta'
        const { server } = await cluster.holderOf(key)
        await server.ask(redis => untilReplicated(redis, '{tw:0}:until here', 1))
        await server.kill()
        await cluster.failedOver(server, key)
      }
    }
  }
}

/** Publishes again and again until it is taken; while there is no master, the server refuses it. */
async function publishUntilTaken (node: TestServer, symbol: string, price: number): Promise<void> {
  for (;;) {
    const code = await publish(
      node.app,
      'trades',
      symbol,
      { symbol, price: String(price), size: '1', timestamp: '2026-01-01T00:00:00Z' },
      { idempotency_key: `${symbol} ${price}` }
    ).then(
      () => undefined,
      (error: { code?: string, message: string }) => error.code ?? error.message
    )
    if (code === undefined) return
    if (!code.includes('log_unavailable')) throw new Error(code)
  }
}

for (const [name, start] of Object.entries(groups)) {
  test(`misses nothing when a master is replaced under two nodes over ${name}`, options, async t => {
    const { url, endMaster } = await start(t)
    const config = { REDIS_URL: url, LOG_SHARDS: SHARDS }
    const nodes = [await startServer(t, config), await startServer(t, config)] as const
    const followers = new Map<string, RuleFollower>()
    const resets: unknown[] = []
    const clients: Client[] = []
    for (const [index, node] of nodes.entries()) {
      for (const transport of STREAMS) {
        const follower = new RuleFollower()
        followers.set(`node ${index + 1}, ${transport}`, follower)
        clients.push(openClient(transport, node.origin, 'subscribe=trades:*', undefined, {
          onMessage: message => {
            if (message.type === 'reset') resets.push(message)
            follower.take(message)
          },
          onCursor: () => {}
        }))
      }
    }
    t.teardown(() => { for (const client of clients) client.cut() })
    await until('all are there', () => nodes.every(node => subscribers(node, 'trades:A') === STREAMS.length))
    const round = async (price: number): Promise<void> => {
      for (const [index, symbol] of SYMBOLS.entries()) {
        await publishUntilTaken(nodes[(price + index) % 2]!, symbol, price)
      }
    }
    for (let price = 1; price <= 10; price++) await round(price)
    await endMaster()
    for (let price = 11; price <= 20; price++) await round(price)
    const hasAll = ({ accepted }: RuleFollower): boolean => accepted.length >= 20 * SYMBOLS.length
    await until(
      'all have everything',
      () => resets.length > 0 || [...followers.values()].every(hasAll),
      30_000
    )
    t.same(resets, [], 'nothing was lost, and nobody was told otherwise')
    for (const [who, follower] of followers) {
      t.same(follower.gaps, [], who)
      for (const symbol of SYMBOLS) {
        const prices = follower.accepted
          .filter(message => message.symbol === symbol)
          .map(({ data }) => Number((data as { price: string }).price))
        t.same(prices, Array.from({ length: 20 }, (_, index) => index + 1), `${who}: ${symbol}`)
      }
    }

    const shards = new Set(SYMBOLS.map(symbol => nodes[0].parts.log.shardOf(`trades:${symbol}`)))
    t.ok(shards.size > 2, `${shards.size} shards`)
    // The coordination of the nodes uses the same masters.
    const headers = { authorization: `Bearer ${nodes[0].token({ sub: 'alice' })}` }
    const issued = await nodes[0].app.inject({ url: '/api/ws/token', headers })
    t.equal(issued.statusCode, 200, issued.body)
    const { ticket } = issued.json() as { ticket: string }
    const used = await nodes[1].app.inject({ url: `/v1/stream?subscribe=orders&ticket=${ticket}` })
    t.equal(used.statusCode, 200, 'a ticket of one node is taken on the other')
    const again = await nodes[0].app.inject({ url: `/v1/stream?subscribe=orders&ticket=${ticket}` })
    t.not(again.statusCode, 200, 'only once')
  })
}
