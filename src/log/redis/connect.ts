import { Redis } from 'ioredis'
import { cannotBeUsed, type RedisSetup } from './setup.js'

/** What the client itself asks when it connects must be answered in this time: a partitioned server answers nothing for ever. */
const COMMAND_TIMEOUT_MS = 5000
const CONNECT_TIMEOUT_MS = 2000
/** How long a connection that is given up may take to say goodbye. */
const DISCONNECT_TIMEOUT_MS = 50
const FIRST_RETRY_MS = 20
const LAST_RETRY_MS = 250

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
 * A client that sends commands, not connected yet. While there is no server nothing is queued, and what was not answered fails with
 * its connection: whoever sent it knows whether it may be sent again.
 */
export const commandClient = (url: string, commandTimeout: number): Redis => (
  new Redis(url, { ...base, commandTimeout, enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 }))

/** A client that listens, not connected yet. */
export const listeningClient = (url: string, commandTimeout: number): Redis => new Redis(url, { ...base, commandTimeout, maxRetriesPerRequest: null })

/** One for a {@link ShardListener}, which listens anew by itself. */
const shardClient = (url: string, commandTimeout: number): Redis => (
  new Redis(url, { ...base, commandTimeout, enableOfflineQueue: false, autoResendUnfulfilledCommands: false, autoResubscribe: false, maxRetriesPerRequest: 0 }))

/** @throws LogSetupError */
export async function connectRedis (setup: RedisSetup): Promise<Connections> {
  return await connectAll(setup, {
    writer: commandClient(setup.url, COMMAND_TIMEOUT_MS),
    reader: commandClient(setup.url, COMMAND_TIMEOUT_MS),
    subscriber: shardClient(setup.url, COMMAND_TIMEOUT_MS)
  })
}

/** Connects all, or none. @throws LogSetupError */
export async function connectAll<Clients extends { readonly [Name in keyof Clients]: Redis }> (
  setup: Pick<RedisSetup, 'url' | 'keyPrefix'>, clients: Clients
): Promise<Clients> {
  const all = Object.values<Redis>(clients)
  try {
    await Promise.all(all.map(firstConnection))
  } catch (error) {
    for (const client of all) client.disconnect()
    throw cannotBeUsed(setup, error)
  }
  return clients
}

/** The first connection says what is wrong with an address; later ones are tried for ever. */
async function firstConnection (connection: Redis): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.once('ready', resolve)
    connection.on('error', reject)
    connection.connect().catch(reject)
  })
}
