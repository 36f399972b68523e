import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { RedisServer } from '../helpers/redis-server.js'

export const kinds = ['standalone', 'sentinel', 'cluster'] as const
export type Kind = typeof kinds[number]

/** The Redis, or the group of them, that a run's log is on. */
export interface Backing {
  readonly kind: Kind
  /** How a node reaches it: of its process's environment. */
  env (node: number): Readonly<Record<string, string>>
  /** By shard, the server that holds it now. */
  holders (shards: number): Promise<RedisServer[]>
  close (): Promise<void>
}

const PAUSE_MS = 50

/**
 * Asks Redis directly, past the gates between it and the nodes. If a Cluster refuses a question because it is
 * not whole, it is asked again.
 */
export async function askHolders<Answer> (
  backing: Backing,
  shards: number,
  question: (of: (shard: number) => Redis) => Promise<Answer>
): Promise<Answer> {
  for (;;) {
    const servers = await backing.holders(shards)
    const clients = new Map([...new Set(servers)].map(server => [server, server.client()]))
    try {
      return await question(shard => clients.get(servers[shard]!)!)
    } catch (error) {
      if (!String(error).includes('CLUSTERDOWN')) throw error
    } finally {
      for (const client of clients.values()) client.disconnect()
    }
    await delay(PAUSE_MS)
  }
}
