import { Redis, type RedisOptions } from 'ioredis'
import { afterReading } from '../time-limit.js'
import type { Endpoint, RedisAddress, SentinelAddress } from './address.js'

const CONNECT_TIMEOUT_MS = 2000
/** From when it is connected to when it is ready: what is stopped takes connections and never answers. */
const HANDSHAKE_TIMEOUT_MS = 2000
/** How long a connection that is given up may take to say goodbye. */
const DISCONNECT_TIMEOUT_MS = 50
const FIRST_RETRY_MS = 20
const LAST_RETRY_MS = 250

/** What the address does not say. Replies have the form that ioredis gives them by default. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>

/** Makes a connection that is not connected yet. */
export type Open = (endpoint: Endpoint) => Redis

/**
 * To masters: a connection that comes back by itself. While there is no server nothing is queued, and what was not answered fails
 * with its connection: whoever sent it knows whether it may be sent again.
 */
export const openerOf = (address: RedisAddress, options: ConnectionOptions): Open => endpoint => {
  if (address.kind === 'single') return guarded(new Redis(address.url, { ...base, ...options }))
  const { tls, username, password } = address
  return guarded(new Redis({ ...base, ...endpoint, ...login(tls, username, password), ...(address.kind === 'sentinel' ? { db: address.db } : {}), ...options }))
}

/** To Sentinels, which have a password of their own. */
export const sentinelOpenerOf = ({ tls, sentinelPassword }: SentinelAddress, options: ConnectionOptions): Open =>
  endpoint => guarded(new Redis({ ...base, ...endpoint, ...login(tls, undefined, sentinelPassword), ...options }))

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

const login = (tls: boolean, username: string | undefined, password: string | undefined): ConnectionOptions => ({
  ...(tls ? { tls: {} } : {}), ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password })
})

function guarded (redis: Redis): Redis {
  let handshake: NodeJS.Timeout | undefined
  redis.on('connect', () => {
    handshake = setTimeout(() => { afterReading(() => { if (redis.status === 'connect') redis.disconnect(true) }) }, HANDSHAKE_TIMEOUT_MS)
  })
  for (const event of ['ready', 'close']) redis.on(event, () => { clearTimeout(handshake) })
  // Whoever sends is told; a connection that nobody waits for tries again.
  redis.on('error', () => {})
  return redis
}

/** Of a connection that has been told to connect. @throws what went wrong first */
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
