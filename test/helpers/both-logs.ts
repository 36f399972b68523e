import type { Test } from 'tap'
import type { Config } from '../../src/config.js'
import { redisProgram, RedisServer } from './redis-server.js'
import type { TestServer } from './server.js'

/** Starts a server with a log in memory, unless the settings name a Redis. */
export type Start = (t: Test, config?: Partial<Config>) => Promise<TestServer>

/** Returns how a server is started with each kind of log that this machine has. */
export function onBothLogs (inMemory: Start): ReadonlyArray<readonly [name: string, start: Start]> {
  const onRedis: Start = async (t, config) => {
    const redis = await RedisServer.start()
    t.teardown(() => redis.close())
    return await inMemory(t, { REDIS_URL: redis.url, ...config })
  }
  return [['a log in memory', inMemory], ...redisProgram === undefined ? [] : [['a log on Redis', onRedis] as const]]
}
