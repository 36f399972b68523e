import { test } from 'tap'
import { Link } from '../fleet/link.js'
import { type Message, openClient, until } from '../helpers/clients.js'
import { freePort } from '../helpers/free-port.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'

/** ADR 25: an old master that comes back under a node's connection, and goes again. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000 } as const
/** Generous, because a machine may be busy. */
const SOON_MS = 20_000

const trade = async (node: TestServer, price: number): Promise<void> => {
  await publish(node.app, 'trades', 'A', {
    symbol: 'A',
    price: String(price),
    size: '1',
    timestamp: '2026-01-01T00:00:00Z'
  })
}
const epochsOf = async (redis: RedisServer): Promise<string[]> =>
  await redis.ask(client => client.lrange('{tw:0}:epochs', 0, -1))

/** What a live client has of the topic, and how often it was told to forget that. */
class Held {
  prices: number[] = []
  resets = 0

  take ({ type, channel, data }: Message): void {
    if (type === 'reset') {
      this.prices = []
      this.resets++
    } else if (channel === 'trades' && data !== undefined) this.prices.push(Number((data as { price: string }).price))
  }
}

test('follows the old and the new master in turn, and takes back what is not there, from its own clients only', options, async t => {
  const old = await RedisServer.start(['--repl-diskless-sync-delay', '0'], await freePort())
  const promoted = await RedisServer.start([], await freePort())
  for (const redis of [old, promoted]) t.teardown(() => redis.close())
  const link = await Link.open(old.url)
  t.teardown(() => { link.close() })
  const openFollower = async (node: TestServer): Promise<Held> => {
    const held = new Held()
    let subscribed = false
    const client = openClient('ws-json', node.origin, 'subscribe=trades:A', undefined, {
      onMessage: message => {
        held.take(message)
      },
      onCursor: () => {
        subscribed = true
      }
    })
    t.teardown(() => { client.cut() })
    await until('it is subscribed', () => subscribed)
    return held
  }
  const node = await startServer(t, { REDIS_URL: `redis://127.0.0.1:${link.port}` })
  const mine = await openFollower(node)
  for (let price = 1; price <= 5; price++) await trade(node, price)
  await promoted.ask(client => client.replicaof('127.0.0.1', old.port))
  await old.ask(async client => { while (await client.wait(1, 100) < 1); })
  await promoted.ask(client => client.replicaof('NO', 'ONE'))
  const other = await startServer(t, { REDIS_URL: promoted.url })
  const others = await openFollower(other)
  // Two histories, which part after the fifth message.
  for (let price = 6; price <= 8; price++) await trade(node, price)
  for (let price = 106; price <= 110; price++) await trade(other, price)
  const onOld = [1, 2, 3, 4, 5, 6, 7, 8]
  const onPromoted = [1, 2, 3, 4, 5, 106, 107, 108, 109, 110]
  await until('both have theirs', () => mine.prices.length === 8 && others.prices.length === 5)
  t.same(mine.prices, onOld)
  const lead = async (to: RedisServer, prices: readonly number[], resets: number): Promise<void> => {
    link.take()
    link.give(to.url)
    await until(`the client has ${prices.join()}`, () =>
      mine.resets === resets && mine.prices.length === prices.length, SOON_MS)
    t.same(mine.prices, prices)
  }
  await lead(promoted, onPromoted, 1)
  const left = await epochsOf(old)
  await lead(old, onOld, 2)
  t.equal(
    (await epochsOf(old)).length,
    left.length + 1,
    'the old master is no longer in the epoch that the node had left'
  )
  await trade(node, 9)
  const leftToo = await epochsOf(promoted)
  await lead(promoted, onPromoted, 3)
  t.equal((await epochsOf(promoted)).length, leftToo.length + 1, 'neither is the promoted one')
  await trade(node, 111)
  await until('both have the last', () => mine.prices.at(-1) === 111 && others.prices.at(-1) === 111, SOON_MS)
  t.equal(others.resets, 0, 'a client of the promoted one lost nothing and was told nothing')
  t.same(others.prices, [...onPromoted.slice(5), 111])
  // This node has heard of the epochs that began for the other node.
  const [, start] = (await epochsOf(promoted)).at(-1)!.split(':')
  t.equal(start, '11')
})

test('takes a process that was a replica meanwhile as another, and does not go on from its older state', options, async t => {
  const first = await RedisServer.start(['--repl-diskless-sync-delay', '0'], await freePort())
  const second = await RedisServer.start(['--repl-diskless-sync-delay', '0'], await freePort())
  for (const redis of [first, second]) t.teardown(() => redis.close())
  const link = await Link.open(first.url)
  t.teardown(() => { link.close() })
  const node = await startServer(t, { REDIS_URL: `redis://127.0.0.1:${link.port}` })
  const held = new Held()
  const client = openClient('ws-json', node.origin, 'subscribe=trades:A', undefined, {
    onMessage: message => {
      held.take(message)
    },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  await until('the client is there', () => subscribers(node, 'trades:A') === 1)
  for (let price = 1; price <= 5; price++) await trade(node, price)
  await second.ask(client => client.replicaof('127.0.0.1', first.port))
  await first.ask(async client => { while (await client.wait(1, 100) < 1); })
  await second.ask(client => client.replicaof('NO', 'ONE'))
  for (let price = 6; price <= 8; price++) await trade(node, price)
  await until('it has everything', () => held.prices.length === 8)
  // No node asks anything until the first is a master again, so nothing begins an epoch on the second.
  link.take()
  await first.ask(client => client.replicaof('127.0.0.1', second.port))
  for (let info = ''; !info.includes('master_link_status:up');) {
    info = await first.ask(client => client.info('replication'))
  }
  await first.ask(client => client.replicaof('NO', 'ONE'))
  // Another node appends before the first one comes back: as much as was lost, and more.
  const other = await startServer(t, { REDIS_URL: first.url })
  for (let price = 206; price <= 210; price++) await trade(other, price)
  link.give(first.url)
  await until('it is told', () => held.resets === 1 && held.prices.length === 10, SOON_MS)
  t.same(held.prices, [1, 2, 3, 4, 5, 206, 207, 208, 209, 210])
})
