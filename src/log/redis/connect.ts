import { Redis } from 'ioredis'

/** A read that is not answered in this time failed: a partitioned server answers nothing for ever. */
const READ_TIMEOUT_MS = 900
/** An append that is not answered in this time is sent again, by a new connection: there is time for that within a publish. */
const APPEND_TIMEOUT_MS = 400
const CONNECT_TIMEOUT_MS = 2000
/** How long a connection that is given up may take to say goodbye. */
const DISCONNECT_TIMEOUT_MS = 50
const FIRST_RETRY_MS = 20
const LAST_RETRY_MS = 250
/** Oldest server that has all that the scripts use. */
const OLDEST_MAJOR = 7

/** A log that cannot be opened; the message says what to do. */
export class LogSetupError extends Error {
  override readonly name = 'LogSetupError'
}

/** One that appends, one that reads and one that listens: none waits behind the others' answers. */
export interface Connections {
  readonly writer: Redis
  readonly reader: Redis
  readonly subscriber: Redis
}

const base = {
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  retryStrategy: (times: number) => Math.min(times * FIRST_RETRY_MS, LAST_RETRY_MS)
}
/**
 * While there is no server nothing is queued, and what was not answered fails with its connection: whoever sent it
 * knows whether it may be sent again.
 */
const failing = { ...base, enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 }

/** @throws LogSetupError */
export async function connectRedis (url: string): Promise<Connections> {
  const connections = {
    writer: new Redis(url, { ...failing, commandTimeout: APPEND_TIMEOUT_MS }),
    reader: new Redis(url, { ...failing, commandTimeout: READ_TIMEOUT_MS }),
    subscriber: new Redis(url, { ...base, commandTimeout: READ_TIMEOUT_MS, maxRetriesPerRequest: null })
  }
  const all = Object.values(connections)
  try {
    await Promise.all(all.map(firstConnection))
    await check(connections.reader)
  } catch (error) {
    for (const connection of all) connection.disconnect()
    throw error instanceof LogSetupError ? error : new LogSetupError(`REDIS_URL: ${shown(url)} cannot be used: ${reason(error)}`)
  }
  return connections
}

/** The first connection says what is wrong with an address; later ones are tried for ever. */
async function firstConnection (connection: Redis): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.once('ready', resolve)
    connection.on('error', reject)
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
