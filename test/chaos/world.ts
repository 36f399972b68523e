import { NodeProcess } from '../fleet/node-process.js'
import type { Choices } from '../helpers/random.js'
import { RedisServer } from '../helpers/redis-server.js'
import type { Driver } from './driver.js'
import { ChaosProxy } from './proxy.js'
import { Publisher } from './publisher.js'
import { hasState, numberOf } from './topics.js'
import { Truth } from './truth.js'

/**
 * Where the server's log is, and what a failure loses: all of it with a restart in memory; nothing on Redis;
 * or what Redis had not saved, where Redis itself fails.
 */
export const logKinds = ['memory', 'redis', 'unsaved'] as const
export type LogKind = (typeof logKinds)[number]

/** More is retained than a run publishes: what is missing at a client is not missing for age. */
const SETTINGS = { RETENTION_MESSAGES: '1000000', RETENTION_SECONDS: '86400', LOG_SHARDS: '3' }
/** What is published in one go just before something fails: some of it is on its way to the client then. */
const LAST_WORDS = 30

/** A server with its log, a publisher that reaches it directly, and the proxy that leads a client to it. */
export class World {
  private constructor (
    readonly log: LogKind, readonly truth: Truth, readonly server: NodeProcess, readonly proxy: ChaosProxy,
    readonly publisher: Publisher, private readonly redis: RedisServer | undefined
  ) {}

  /** @param rate messages a second */
  static async start (log: LogKind, rate: number, choices: Choices): Promise<World> {
    const redis = log === 'memory' ? undefined : await RedisServer.start()
    const address: Record<string, string> = redis === undefined ? {} : { REDIS_URL: redis.url }
    const server = await NodeProcess.create('the server', { ...SETTINGS, ...address })
    const truth = new Truth(numberOf, hasState)
    const proxy = await ChaosProxy.start(server.port, choices)
    const publisher = new Publisher(server.origin, truth, rate, choices)
    const world = new World(log, truth, server, proxy, publisher, redis)
    try {
      await server.start()
      await publisher.burst(LAST_WORDS)
      return world
    } catch (error) {
      await world.close()
      throw error
    }
  }

  /** @param how at once, or in good order with a word to its clients */
  async restart (how: 'kill' | 'stop'): Promise<void> {
    const { publisher, server, truth, log } = this
    await publisher.stop()
    await publisher.burst(LAST_WORDS)
    await server[how]()
    if (log === 'memory') truth.lose(new Map())
    await server.start()
    publisher.start()
  }

  /**
   * Redis fails, and comes back with what it had saved before the last messages.
   * @param meanwhile is done when the last messages are published, and before they are lost
   * @param behind is done when others have their sequences
   */
  async rollBack (meanwhile: () => Promise<void>, behind: () => Promise<void>): Promise<void> {
    const { publisher, truth } = this
    const redis = this.redis!
    await publisher.stop()
    await redis.ask(async client => await client.save())
    const kept = truth.heads()
    await publisher.burst(LAST_WORDS)
    await meanwhile()
    await redis.kill()
    truth.lose(kept)
    await redis.start()
    await publisher.burst(LAST_WORDS)
    await behind()
    publisher.start()
  }

  async close (): Promise<void> {
    await this.publisher.stop().catch(() => {})
    this.proxy.close()
    await this.server.close()
    await this.redis?.close()
  }
}

/** Whether the newest message that the application was given of a topic is the last one of the log. */
export function hasLast ({ newest }: Driver, { truth }: World, topic: string): boolean {
  const last = truth.last(topic)
  return last !== undefined && truth.find(topic, newest.get(topic)?.data) === last
}

/** What a fault works on. */
export interface Scene {
  readonly world: World
  readonly driver: Driver
  readonly choices: Choices
}
