import { connectAll, type Connections } from '../../log/redis/connect.js'
import { timeLimit, TimedOut } from '../../log/redis/time-limit.js'

/** A command fails after this time: a request waits for it. */
const COMMAND_TIMEOUT_MS = 1000
/** How often a connection is pinged, and how long it may take to answer. */
const PING_MS = 1000
const PING_PATIENCE_MS = 900

/**
 * Of the two sets, one sends commands and one listens. They are not those of the log, so that neither waits
 * for answers of the other.
 */
export type CoordinationConnections = Connections<'commands' | 'subscriber'>

interface Setup {
  readonly url: string
  readonly keyPrefix: string
}

/** @throws LogSetupError */
export async function connectCoordination (setup: Setup): Promise<CoordinationConnections> {
  return await connectAll(setup, ['commands', 'subscriber'], { commandTimeout: COMMAND_TIMEOUT_MS })
}

/**
 * Pings the connections for commands, and makes one anew that does not answer: it may never answer again.
 * Returns a function that ends this.
 */
export function watchOver ({ commands }: CoordinationConnections): () => void {
  const timer = setInterval(() => {
    for (const { redis } of commands.all()) {
      if (redis.status !== 'ready') continue
      timeLimit(redis.ping(), PING_PATIENCE_MS).catch((error: unknown) => {
        if (error instanceof TimedOut) redis.disconnect(true)
      })
    }
  }, PING_MS).unref()
  return () => { clearInterval(timer) }
}
