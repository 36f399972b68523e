import { Redis, type RedisOptions } from 'ioredis'
import { afterReading } from '../time-limit.js'
import type { Endpoint, RedisAddress, SentinelAddress } from './address.js'

const CONNECT_TIMEOUT_MS = 2000
/** How long a connection may take to become ready: a stopped Redis takes connections and never answers. */
const HANDSHAKE_TIMEOUT_MS = 2000
/** How long a connection that is ended may take to close. */
const DISCONNECT_TIMEOUT_MS = 50
const FIRST_RETRY_MS = 20
const LAST_RETRY_MS = 250

/** Options that the address does not give. Replies have the form that ioredis gives them by default. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>

/** Makes a connection that is not connected yet. */
export type Open = (endpoint: Endpoint) => Redis

/**
 * Opens connections to masters. A connection comes back by itself. While it has no server it queues nothing,
 * and commands without an answer fail when it closes: only the caller knows whether a command may be sent
 * again.
 */
export const openerOf = (address: RedisAddress, options: ConnectionOptions): Open => endpoint => {
  const own = { ...base, ...options }
  if (address.kind === 'single') return guarded(new Redis(address.url, own))
  const { tls, username, password } = address
  const db = address.kind === 'sentinel' ? { db: address.db } : {}
  return guarded(new Redis({ ...base, ...endpoint, ...login(tls, username, password), ...db, ...options }))
}

/** Opens connections to Sentinels, which have a password of their own. */
export const sentinelOpenerOf = (
  { tls, sentinelPassword }: SentinelAddress,
  options: ConnectionOptions
): Open => endpoint => {
  const own = login(tls, undefined, sentinelPassword)
  return guarded(new Redis({ ...base, ...endpoint, ...own, ...options }))
}

const base = {
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  retryStrategy: (times: number) => Math.min(times * FIRST_RETRY_MS, LAST_RETRY_MS),
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0
} as const

function login (tls: boolean, username: string | undefined, password: string | undefined): ConnectionOptions {
  return {
    ...(tls ? { tls: {} } : {}),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password })
  }
}

function guarded (redis: Redis): Redis {
  let handshake: NodeJS.Timeout | undefined
  redis.on('connect', () => {
    const reconnect = (): void => { if (redis.status === 'connect') redis.disconnect(true) }
    handshake = setTimeout(() => { afterReading(reconnect) }, HANDSHAKE_TIMEOUT_MS)
  })
  for (const event of ['ready', 'close']) redis.on(event, () => { clearTimeout(handshake) })
  // Each command that fails tells its caller, and the connection tries again by itself.
  redis.on('error', () => {})
  return redis
}

/** Waits until a connection that has begun to connect is ready. @throws the first error of the connection */
export async function firstConnection (redis: Redis): Promise<void> {
  if (redis.status === 'ready') return
  let stop = (): void => {}
  try {
    await new Promise<void>((resolve, reject) => {
      const isClosed = (): void => { reject(new Error('Connection is closed')) }
      redis.on('ready', resolve).on('error', reject).on('close', isClosed)
      stop = () => { redis.off('ready', resolve).off('error', reject).off('close', isClosed) }
    })
  } finally {
    stop()
  }
}
