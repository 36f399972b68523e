import { Redis } from 'ioredis'
import { cannotBeUsed, type RedisSetup, withoutCommand } from './setup.js'

/** A command that is not answered in this time failed: a partitioned server answers nothing for ever. */
const COMMAND_TIMEOUT_MS = 900
const CONNECT_TIMEOUT_MS = 2000
const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 500

const base = {
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MS,
  retryStrategy: (times: number) => Math.min(times * FIRST_RETRY_MS, LAST_RETRY_MS),
  maxRetriesPerRequest: null
}

/** Connections to a Redis: one for commands, one that listens. @throws LogSetupError */
export async function connectRedis (setup: RedisSetup, onError: (error: unknown) => void): Promise<{ redis: Redis, subscriber: Redis }> {
  const redis = new Redis(setup.url, {
    ...base,
    commandTimeout: COMMAND_TIMEOUT_MS,
    // While there is no server nothing is queued: what was refused must not be appended later.
    enableOfflineQueue: false
  })
  const subscriber = new Redis(setup.url, base)
  for (const connection of [redis, subscriber]) connection.on('error', error => { onError(withoutCommand(error)) })
  try {
    await Promise.all([firstConnection(redis), firstConnection(subscriber)])
  } catch (error) {
    redis.disconnect()
    subscriber.disconnect()
    throw cannotBeUsed(setup, error)
  }
  return { redis, subscriber }
}

/** The first connection says what is wrong with an address; later ones are tried for ever. */
async function firstConnection (connection: Redis): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.once('ready', resolve)
    connection.once('error', reject)
    connection.connect().catch(reject)
  })
}
