import { standardChannels } from '@tickwire/protocol'
import type { Test } from 'tap'
import { RedisLog, type RedisLogOptions } from '../../src/log/redis/redis-log.js'
import { AMPLE } from '../contract/logs.js'

/** Opens a log of one shard on a Redis of the test; it is closed when the test ends. */
export async function openRedisLog (
  t: Test, { url }: { readonly url: string }, options: Partial<RedisLogOptions> = {}
): Promise<RedisLog> {
  const log = await RedisLog.open({
    url,
    keyPrefix: 'tw',
    channels: standardChannels,
    shards: 1,
    retention: AMPLE,
    maxTopics: 1000,
    onError: () => {},
    ...options
  })
  t.teardown(() => log.close())
  return log
}
