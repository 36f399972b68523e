import { freePort } from '../helpers/free-port.js'
import { RedisServer } from '../helpers/redis-server.js'
import type { Backing } from './backing.js'
import { Link } from '../fleet/link.js'

/** Replication begins at once, not when more replicas might have come. */
const REDIS_SETTINGS = ['--repl-diskless-sync-delay', '0']

/** One Redis, to which each node has a way of its own. */
export class Standalone implements Backing {
  readonly kind = 'standalone'

  private constructor (public redis: RedisServer, readonly links: readonly [Link, Link]) {}

  static async start (): Promise<Standalone> {
    const redis = await Standalone.startRedis()
    return new Standalone(redis, [await Link.open(redis.url), await Link.open(redis.url)])
  }

  static async startRedis (): Promise<RedisServer> {
    return await RedisServer.start(REDIS_SETTINGS, await freePort())
  }

  env (node: number): Record<string, string> {
    return { REDIS_URL: `redis://127.0.0.1:${this.links[node]!.port}` }
  }

  async holders (shards: number): Promise<RedisServer[]> {
    return new Array<RedisServer>(shards).fill(this.redis)
  }

  /** Takes the way to Redis from all nodes, so that what is done meanwhile is one step for them. */
  takeLinks (): void {
    for (const link of this.links) link.take()
  }

  giveLinks (): void {
    for (const link of this.links) link.give(this.redis.url)
  }

  async close (): Promise<void> {
    for (const link of this.links) link.close()
    await this.redis.close()
  }
}
