import { standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { RedisLog } from '../../src/log/redis/redis-log.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'

/** What a start that cannot work is told. */
const open = (url: string, more: { shards?: number, keyPrefix?: string } = {}): Promise<RedisLog> => RedisLog.open({
  url, keyPrefix: 'tw', shards: 1, channels: standardChannels, retention: { messages: 100, seconds: 60, bytes: 1 << 20 }, maxTopics: 100, onError: () => {}, ...more
})

test('a Redis that cannot hold the log stops the start with a sentence that says what to do', {
  skip: redisProgram === undefined ? 'there is no Redis' : false
}, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const control = redis.client()
  t.teardown(() => { control.disconnect() })

  await t.rejects(open('redis://127.0.0.1:2'), { name: 'LogSetupError', message: /no Redis listens there/ })
  await (await open(redis.url, { shards: 2 })).close()
  await t.rejects(open(redis.url, { shards: 3 }), { name: 'LogSetupError', message: /LOG_SHARDS: this log was made with 2 shards.*set LOG_SHARDS=2/ })
  await control.set('{other:0}:meta', 'mine')
  await t.rejects(open(redis.url, { keyPrefix: 'other' }), { name: 'LogSetupError', message: /hold something else.*another prefix/ })
  await control.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await t.rejects(open(redis.url, { shards: 2 }), { name: 'LogSetupError', message: /maxmemory-policy is allkeys-lru.*noeviction/ })
  await control.config('SET', 'maxmemory-policy', 'noeviction')
  await control.config('SET', 'requirepass', 'secret')
  await t.rejects(open(redis.url, { shards: 2 }), { name: 'LogSetupError', message: /the password is not right/ })
})
