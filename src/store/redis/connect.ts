import type { Redis } from 'ioredis'
import { commandClient, connectAll, listeningClient } from '../../log/redis/connect.js'
import { timeLimit, TimedOut } from '../../log/redis/time-limit.js'

/** What is not answered in this time fails: a request waits for it. */
const COMMAND_TIMEOUT_MS = 1000
/** How often a connection is asked whether it still answers, and how long it may take. */
const PING_MS = 1000
const PING_PATIENCE_MS = 900

/** One for commands and one that listens: not those of the log, so that neither waits behind the other's answers. */
export interface Connections {
  readonly commands: Redis
  readonly subscriber: Redis
}

/** @throws LogSetupError */
export async function connectStore (setup: { readonly url: string, readonly keyPrefix: string }): Promise<Connections> {
  return await connectAll(setup, { commands: commandClient(setup.url, COMMAND_TIMEOUT_MS), subscriber: listeningClient(setup.url, COMMAND_TIMEOUT_MS) })
}

export function disconnectAll ({ commands, subscriber }: Connections): void {
  commands.disconnect()
  subscriber.disconnect()
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
