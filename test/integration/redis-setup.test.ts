import { connect, createServer } from 'node:net'
import { test } from 'tap'
import { standardChannels } from '@tickwire/protocol'
import { RedisLog } from '../../src/log/redis/redis-log.js'
import { checkRedis } from '../../src/log/redis/setup.js'
import { listen } from '../helpers/network.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { BOTH, realRedis, refused, SECRET } from '../helpers/refused.js'

/** What a server says at its start of a Redis that cannot hold the log. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000 } as const

test('refuses a Redis that cannot hold the log, and says why', options, async t => {
  const cluster = await realRedis(t, ['--cluster-enabled', 'yes'])
  await refused(
    t,
    'Cluster',
    { REDIS_URL: cluster.redis.url },
    /is a node of a Redis Cluster; begin the address with redis\+cluster:/
  )

  const { redis, control, port } = await realRedis(t)
  await control.replicaof('127.0.0.1', 1)
  await refused(t, 'a replica', { REDIS_URL: redis.url }, /is a replica.*give the address of its master/)
  await control.replicaof('NO', 'ONE')
  await control.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await refused(
    t,
    'it evicts',
    { REDIS_URL: redis.url },
    /maxmemory-policy allkeys-lru.*set it to noeviction/,
    BOTH
  )
  await control.config('SET', 'maxmemory-policy', 'noeviction')
  await refused(
    t,
    'no such database',
    { REDIS_URL: `redis://127.0.0.1:${port}/99` },
    /it has no database of that number/
  )
  await refused(
    t,
    'no TLS',
    { REDIS_URL: `rediss://:${SECRET}@127.0.0.1:${port}` },
    /nothing answers there, or not in TLS/
  )
  await control.config('SET', 'maxmemory', '1')
  await refused(
    t,
    'full',
    { REDIS_URL: redis.url, REDIS_KEY_PREFIX: 'new' },
    /its memory is full; raise its maxmemory/,
    ['start']
  )
  await control.config('SET', 'maxmemory', '0')

  await control.config('SET', 'requirepass', SECRET)
  await refused(
    t,
    'password missing',
    { REDIS_URL: `redis://127.0.0.1:${port}` },
    /the password is missing; it stands in the URL/
  )
  await refused(t, 'password missing, on a socket', { REDIS_URL: redis.url }, /the password is missing/)
  await refused(
    t,
    'password wrong',
    { REDIS_URL: `redis://:not-${SECRET}@127.0.0.1:${port}` },
    /the user or the password is not right/
  )
  await refused(
    t,
    'user wrong',
    { REDIS_URL: `redis://nobody:${SECRET}@127.0.0.1:${port}` },
    /the user or the password is not right/
  )
})

test('takes a Redis where another node makes the log during the check', options, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const setup = { url: redis.url, keyPrefix: '', shards: 2 }
  let asked = 0
  let makeBefore = 0
  const port = await listen(t, createServer(client => {
    const upstream = connect(redis.url)
    upstream.on('error', () => {})
    upstream.pipe(client)
    client.on('close', () => { upstream.destroy() })
    client.on('data', request => {
      if (++asked !== makeBefore) {
        upstream.write(request)
        return
      }
      void (async () => {
        const log = await RedisLog.open({
          ...setup,
          channels: standardChannels,
          retention: { messages: 10, seconds: 60, bytes: 1e6 },
          maxTopics: 10,
          onError: () => {}
        })
        upstream.write(request)
        await log.close()
      })()
    })
  }))
  do {
    asked = 0
    setup.keyPrefix = `tw${++makeBefore}`
    await t.resolves(
      checkRedis({ ...setup, url: `redis://127.0.0.1:${port}` }),
      `before its question ${makeBefore}`
    )
  } while (asked >= makeBefore)
  t.ok(makeBefore > 5, `${makeBefore - 1} moments`)
})
