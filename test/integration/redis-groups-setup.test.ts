import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { freePort } from '../helpers/free-port.js'
import { listen } from '../helpers/network.js'
import { RedisCluster } from '../helpers/redis-cluster.js'
import { RedisSentinel } from '../helpers/redis-sentinel.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { refused, SECRET } from '../helpers/refused.js'

/** What a server says at its start of Sentinels and a Redis Cluster that it cannot use. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000 } as const

test('refuses an address of several servers that it cannot read', options, async t => {
  for (const [url, sentence] of [
    [
      `redis+sentinel://:${SECRET}@h:26379`,
      /behind the Sentinels stands the name of the master that they watch: redis\+sentinel:\/\//
    ],
    [`redis+sentinel://:ab/${SECRET}@h:26379/prices`, /is no address that can be read/],
    [`redis+sentinel://:${SECRET}@h:99999/prices`, /is no address that can be read: give redis\+sentinel:\/\//],
    [`redis+sentinel://h/prices?password=${SECRET}`, /behind the \? may stand sentinel_password=… and nothing else/],
    [`redis+cluster://:${SECRET}%@h`, /is no address that can be read: give redis\+cluster:\/\//],
    [`redis+cluster://:${SECRET}@h,`, /is no address that can be read: give redis\+cluster:\/\//],
    [
      `redis+cluster://:${SECRET}@h/2`,
      /a Redis Cluster has no databases with numbers; leave out what stands behind its nodes/
    ]
  ] as const) {
    await refused(t, url.replace(SECRET, '…'), { REDIS_URL: url }, sentence)
  }
})

test('refuses Sentinels that it cannot use, and says why', options, async t => {
  const group = await RedisSentinel.start()
  t.teardown(() => group.close())
  const name = /[^/]+$/.exec(group.url)![0]
  const sentinel = /\/\/([^,]+),/.exec(group.url)![1]!
  const nobody = `127.0.0.1:${await freePort()}`
  await refused(
    t, 'redis:// of a Sentinel', { REDIS_URL: `redis://${sentinel}` },
    /is a Sentinel; give redis\+sentinel:\/\/host:26379\/ and the name of the master/
  )
  await refused(
    t, 'no such master', { REDIS_URL: group.url.replace(name, 'orders') },
    new RegExp(`its Sentinel ${sentinel}: it watches no master of the name orders; it knows ${name}$`, 'm')
  )
  await refused(
    t,
    'no Sentinel',
    { REDIS_URL: `redis+sentinel://user:${SECRET}@${nobody}/${name}` },
    new RegExp(
      `redis\\+sentinel://${nobody}/${name} cannot be used: its Sentinel ${nobody}: no Redis listens there`
    )
  )
  const server = await RedisServer.start([], await freePort())
  t.teardown(() => server.close())
  await refused(
    t, 'no Sentinel, but a Redis', { REDIS_URL: `redis+sentinel://127.0.0.1:${server.port}/${name}` },
    /what listens there is no Sentinel; give the addresses of Sentinels/
  )
  const silent = await listen(t, createServer(() => {}))
  await refused(
    t, 'a silent one', { REDIS_URL: `redis+sentinel://127.0.0.1:${silent}/${name}` },
    new RegExp(`its Sentinel 127.0.0.1:${silent}: what listens there does not answer`)
  )
  const master = await group.master()
  await master.ask(redis => redis.config('SET', 'maxmemory-policy', 'allkeys-lru'))
  await refused(
    t, 'its master evicts', { REDIS_URL: group.url },
    /its master 127\.0\.0\.1:\d+ has the maxmemory-policy allkeys-lru.*set it to noeviction/
  )
  await master.ask(redis => redis.config('SET', 'maxmemory-policy', 'noeviction'))
  await master.ask(redis => redis.config('SET', 'requirepass', SECRET))
  await refused(
    t,
    'its password is missing',
    { REDIS_URL: group.url },
    /its master 127\.0\.0\.1:\d+: the password is missing/
  )
})

test('refuses a Redis Cluster that it cannot use, and says why', options, async t => {
  const cluster = await RedisCluster.start()
  t.teardown(() => cluster.close())
  const [first, second] = cluster.nodes as unknown as [RedisCluster['nodes'][0], RedisCluster['nodes'][0]]
  const nobody = `127.0.0.1:${await freePort()}`
  await refused(
    t, 'redis:// of a node', { REDIS_URL: `redis://127.0.0.1:${first.port}` },
    /is a node of a Redis Cluster; begin the address with redis\+cluster:\/\//
  )
  await refused(
    t, 'no node', { REDIS_URL: `redis+cluster://user:${SECRET}@${nobody}` },
    new RegExp(`its node ${nobody}: no Redis listens there`)
  )
  const server = await RedisServer.start([], await freePort())
  t.teardown(() => server.close())
  await refused(
    t, 'no node, but a Redis', { REDIS_URL: `redis+cluster://127.0.0.1:${server.port}` },
    /it is no node of a Redis Cluster; begin the address with redis:\/\//
  )
  await second.server.ask(redis => redis.config('SET', 'maxmemory-policy', 'allkeys-lru'))
  await refused(
    t, 'one master evicts', { REDIS_URL: cluster.url },
    new RegExp(`its master 127.0.0.1:${second.port} has the maxmemory-policy allkeys-lru`)
  )
  await second.server.ask(redis => redis.config('SET', 'maxmemory-policy', 'noeviction'))
  await second.server.ask(redis => redis.call('ACL', 'SETUSER', 'default', '-xadd'))
  await refused(
    t, 'on one master the user may not append', { REDIS_URL: cluster.url },
    /the user of redis\+cluster:\S+ may not run XADD.*\+cluster\|slots \+cluster\|info$/m
  )
  await second.server.ask(redis => redis.call('ACL', 'SETUSER', 'default', '+xadd'))
  type Slots = Array<[number, number, [string, number]]>
  const slots = await second.server.ask(redis => redis.call('CLUSTER', 'SLOTS')) as Slots
  const slot = Number(slots.find(([, , [, port]]) => port === second.port)![0])
  await Promise.all(cluster.nodes.map(({ server }) =>
    server.ask(redis => redis.call('CLUSTER', 'DELSLOTS', slot)).catch(() => {})))
  await refused(
    t,
    'a slot that nobody holds',
    { REDIS_URL: `redis+cluster://127.0.0.1:${second.port}` },
    new RegExp(
      `the Redis Cluster is not whole: nobody holds slot ${slot}; see to its nodes with redis-cli --cluster check`
    )
  )
  const [, , third] = cluster.nodes
  await Promise.all([first, third!, ...cluster.nodes.slice(3)].map(({ server }) => server.kill()))
  for (let state = ''; !state.includes('cluster_state:fail'); await delay(25)) {
    state = await second.server.ask(redis => redis.call('CLUSTER', 'INFO')) as string
  }
  await refused(
    t, 'it is down', { REDIS_URL: `redis+cluster://127.0.0.1:${second.port}` },
    /its node \S+: the Redis Cluster is down; see to its nodes with redis-cli --cluster check/
  )
})
