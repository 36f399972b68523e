import { test } from 'tap'
import { redisProgram } from '../helpers/redis-server.js'
import { BOTH, realRedis, refused } from '../helpers/refused.js'
import { publish, startServer } from '../helpers/server.js'

/** What a server says at its start of a Redis that has something else than this log. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000 } as const

test('refuses a Redis that has something else than its log, and writes nothing to it', options, async t => {
  const { redis, control } = await realRedis(t)
  const first = await startServer(t, { REDIS_URL: redis.url, LOG_SHARDS: 2 })
  await publish(first.app, 'news', undefined, {
    headline: 'h',
    source: 's',
    symbols: [],
    timestamp: '2026-01-01T00:00:00Z'
  })
  await first.app.close()
  // The lease expires by itself.
  const keys = async (): Promise<string[]> =>
    (await control.keys('*')).filter(key => !key.endsWith(':lease')).sort()
  const before = await keys()
  await refused(
    t, 'other shards', { REDIS_URL: redis.url, LOG_SHARDS: '3' },
    /^tickwire: LOG_SHARDS: this log was made with 2 shards.*set LOG_SHARDS=2/, BOTH
  )

  const env = { REDIS_URL: redis.url, LOG_SHARDS: '2' }
  await control.hdel('{tw:0}:meta', 'layout')
  await refused(
    t,
    'a log of before layouts had numbers',
    env,
    /^tickwire: REDIS_KEY_PREFIX: the log of 'tw' in this Redis was written by another version of Tickwire \(its layout is 1, this version's is 2\).*choose another prefix, .*or stop all servers of the other version and delete the keys that begin with \{tw:/,
    BOTH
  )
  await control.hset('{tw:0}:meta', 'layout', '3')
  await refused(t, 'a log of a later version', env, /its layout is 3, this version's is 2/, BOTH)
  await control.hset('{tw:0}:meta', 'layout', '2')
  const stream = (await control.keys('{tw:?}:t:news'))[0]!
  for (const key of [
    '{tw:0}:meta', '{tw:1}:meta', '{tw:0}:epochs', '{tw:1}:seq', '{tw:0}:recent', '{tw:0}:marks', stream
  ]) {
    if (await control.exists(key) === 1) await control.rename(key, 'aside')
    await control.set(key, 'mine')
    const escaped = key.replace(/[{}]/g, '\\$&')
    await refused(
      t,
      key,
      env,
      new RegExp(
        `^tickwire: REDIS_KEY_PREFIX: keys of the log hold something else in this Redis \\(${escaped} is a string, ` +
          "not a \\w+\\); choose another prefix than 'tw'"
      )
    )
    t.equal(await control.get(key), 'mine')
    await control.del(key)
    if (await control.exists('aside') === 1) await control.rename('aside', key)
  }
  await control.hset('{other:0}:meta', 'colour', 'blue')
  await refused(
    t,
    'a hash of another',
    { REDIS_URL: redis.url, REDIS_KEY_PREFIX: 'other' },
    /\{other:0\}:meta is not a log's/
  )
  await control.del('{other:0}:meta')
  t.same(await keys(), before, 'none of them wrote anything')
})
