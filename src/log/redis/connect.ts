import { Redis } from 'ioredis'

/** A command that is not answered in this time failed: a partitioned server answers nothing for ever. */
const COMMAND_TIMEOUT_MS = 900
const CONNECT_TIMEOUT_MS = 2000
const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 500
/** Oldest server that has all that the scripts use. */
const OLDEST_MAJOR = 7

/** A log that cannot be opened; the message says what to do. */
export class LogSetupError extends Error {
  override readonly name = 'LogSetupError'
}

const base = {
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MS,
  retryStrategy: (times: number) => Math.min(times * FIRST_RETRY_MS, LAST_RETRY_MS),
  maxRetriesPerRequest: null
}

/** Connections to a Redis: one for commands, one that listens. @throws LogSetupError */
export async function connectRedis (url: string, onError: (error: unknown) => void): Promise<{ redis: Redis, subscriber: Redis }> {
  const redis = new Redis(url, {
    ...base,
    commandTimeout: COMMAND_TIMEOUT_MS,
    // While there is no server nothing is queued: what was refused must not be appended later.
    enableOfflineQueue: false
  })
  const subscriber = new Redis(url, base)
  for (const connection of [redis, subscriber]) connection.on('error', onError)
  try {
    await Promise.all([firstConnection(redis), firstConnection(subscriber)])
    await check(redis)
  } catch (error) {
    redis.disconnect()
    subscriber.disconnect()
    throw error instanceof LogSetupError ? error : new LogSetupError(`REDIS_URL: ${shown(url)} cannot be used: ${reason(error)}`)
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

async function check (redis: Redis): Promise<void> {
  const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? '0'
  if (Number.parseInt(version) < OLDEST_MAJOR) throw new LogSetupError(`REDIS_URL: the server is Redis ${version}; version ${OLDEST_MAJOR} or newer is needed`)
  const policy = (await redis.config('GET', 'maxmemory-policy').catch(() => []) as string[])[1]
  if (policy !== undefined && policy !== 'noeviction') {
    throw new LogSetupError(`REDIS_URL: the server's maxmemory-policy is ${policy}, which drops keys of the log when memory is short; set it to noeviction`)
  }
}

const shown = (url: string): string => url.replace(/\/\/[^@/]*@/, '//…@')

function reason (error: unknown): string {
  const text = error instanceof Error ? (error as Error & { code?: string }).code ?? error.message : String(error)
  if (text === 'ECONNREFUSED') return 'no Redis listens there; start one, or correct the address'
  if (/WRONGPASS|NOAUTH/.test(String(error))) return 'the password is not right; it stands in the URL: redis://:<password>@host'
  return text
}
