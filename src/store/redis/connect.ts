import { Redis } from 'ioredis'
import { cannotBeUsed } from '../../log/redis/setup.js'
import { timeLimit, TimedOut } from '../../log/redis/time-limit.js'

/** What is not answered in this time fails: a request waits for it. */
const COMMAND_TIMEOUT_MS = 1000
const CONNECT_TIMEOUT_MS = 2000
/** How long a connection that is given up may take to say goodbye. */
const DISCONNECT_TIMEOUT_MS = 50
/** How often a connection is asked whether it still answers, and how long it may take. */
const PING_MS = 1000
const PING_PATIENCE_MS = 900
const FIRST_RETRY_MS = 20
const LAST_RETRY_MS = 250

/** One for commands and one that listens: not those of the log, so that neither waits behind the other's answers. */
export interface Connections {
  readonly commands: Redis
  readonly subscriber: Redis
}

const base = {
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MS,
  commandTimeout: COMMAND_TIMEOUT_MS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  retryStrategy: (times: number) => Math.min(times * FIRST_RETRY_MS, LAST_RETRY_MS)
}

/** @throws LogSetupError */
export async function connectStore (setup: { readonly url: string, readonly keyPrefix: string }): Promise<Connections> {
  const connections = {
    // While there is no server nothing is queued, and what was not answered fails with its connection.
    commands: new Redis(setup.url, { ...base, enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 }),
    subscriber: new Redis(setup.url, { ...base, maxRetriesPerRequest: null })
  }
  try {
    await Promise.all(Object.values(connections).map(firstConnection))
  } catch (error) {
    disconnectAll(connections)
    throw cannotBeUsed(setup, error)
  }
  return connections
}

export function disconnectAll ({ commands, subscriber }: Connections): void {
  commands.disconnect()
  subscriber.disconnect()
}

/** The first connection says what is wrong with an address; later ones are tried for ever. */
async function firstConnection (connection: Redis): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.once('ready', resolve)
    connection.on('error', reject)
    connection.connect().catch(reject)
  })
}

/** Makes a connection anew where it does not answer: it may never do so again. Returns the function that ends this. */
export function watchOver ({ commands, subscriber }: Connections): () => void {
  const timer = setInterval(() => {
    for (const connection of [commands, subscriber]) {
      if (connection.status !== 'ready') continue
      timeLimit(connection.ping(), PING_PATIENCE_MS).catch((error: unknown) => { if (error instanceof TimedOut) connection.disconnect(true) })
    }
  }, PING_MS).unref()
  return () => { clearInterval(timer) }
}
