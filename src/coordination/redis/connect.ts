import { connectAll, type Connections } from '../../log/redis/connect.js'
import { timeLimit, TimedOut } from '../../log/redis/time-limit.js'

/** What is not answered in this time fails: a request waits for it. */
const COMMAND_TIMEOUT_MS = 1000
/** How often a connection is asked whether it still answers, and how long it may take. */
const PING_MS = 1000
const PING_PATIENCE_MS = 900

/** One set for commands and one that listens: not those of the log, so that neither waits behind the other's answers. */
export type CoordinationConnections = Connections<'commands' | 'subscriber'>

/** @throws LogSetupError */
export async function connectCoordination (setup: { readonly url: string, readonly keyPrefix: string }): Promise<CoordinationConnections> {
  return await connectAll(setup, ['commands', 'subscriber'], { commandTimeout: COMMAND_TIMEOUT_MS })
}

/** Makes a connection for commands anew where it does not answer: it may never do so again. Returns the function that ends this. */
export function watchOver ({ commands }: CoordinationConnections): () => void {
  const timer = setInterval(() => {
    for (const { redis } of commands.all()) {
      if (redis.status !== 'ready') continue
      timeLimit(redis.ping(), PING_PATIENCE_MS).catch((error: unknown) => { if (error instanceof TimedOut) redis.disconnect(true) })
    }
  }, PING_MS).unref()
  return () => { clearInterval(timer) }
}
