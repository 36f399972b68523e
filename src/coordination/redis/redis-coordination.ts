import { cannotBeUsed } from '../../log/redis/append/refusals.js'
import type { Count, Coordination } from '../coordination.js'
import { attempt } from './attempt.js'
import { connectCoordination, type CoordinationConnections, watchOver } from './connect.js'
import { CoordinationKeys } from './keys.js'
import { RedisLeases } from './leases.js'
import { RedisNodeRegistry } from './node-registry.js'
import { Questions } from './questions.js'
import { SharedCounts } from './shared-counts.js'

export interface RedisCoordinationOptions {
  readonly url: string
  readonly keyPrefix: string
  /**
   * How long a count waits for the count of all nodes; after that, this node's own count stands for it.
   * Default 50.
   */
  readonly countPatienceMs?: number
  readonly onError: (error: unknown, message: string) => void
}

/** Much longer than Redis usually needs: a fraction of a millisecond. */
const COUNT_PATIENCE_MS = 50

/** What all nodes of one Redis know together. */
export class RedisCoordination implements Coordination {
  readonly leases: RedisLeases
  readonly registry: RedisNodeRegistry
  private readonly keys: CoordinationKeys
  private readonly counts: SharedCounts
  private readonly questions: Questions
  private readonly stopWatching: () => void
  private closed = false

  private constructor (
    private readonly connections: CoordinationConnections,
    { keyPrefix, countPatienceMs = COUNT_PATIENCE_MS, onError }: RedisCoordinationOptions
  ) {
    const report: typeof onError = (error, message) => { if (!this.closed) onError(error, message) }
    this.keys = new CoordinationKeys(keyPrefix)
    this.leases = new RedisLeases(connections.commands, this.keys)
    this.registry = new RedisNodeRegistry(connections.commands, this.keys)
    this.counts = new SharedCounts(connections.commands, this.keys, countPatienceMs, report)
    this.questions = new Questions(connections, this.keys, report)
    this.stopWatching = watchOver(connections)
  }

  /** @throws LogSetupError, which says what is wrong and what to do */
  static async open (options: RedisCoordinationOptions): Promise<RedisCoordination> {
    const coordination = new RedisCoordination(await connectCoordination(options), options)
    try {
      await coordination.questions.start()
    } catch (error) {
      await coordination.close()
      throw cannotBeUsed(options, error)
    }
    return coordination
  }

  async put (key: string, text: string, seconds: number): Promise<void> {
    const name = this.keys.text(key)
    const milliseconds = Math.ceil(seconds * 1000)
    const { commands } = this.connections
    await attempt(() => commands.send(name, redis => redis.set(name, text, 'PX', milliseconds)))
  }

  async look (key: string): Promise<string | undefined> {
    const name = this.keys.text(key)
    return await attempt(() => this.connections.commands.send(name, redis => redis.get(name))) ?? undefined
  }

  async take (key: string): Promise<string | undefined> {
    const name = this.keys.text(key)
    return await attempt(() => this.connections.commands.send(name, redis => redis.getdel(name))) ?? undefined
  }

  async count (key: string, windowMs: number): Promise<Count> {
    return await this.counts.count(key, windowMs)
  }

  async ask (question: string, withinMs: number): Promise<readonly string[]> {
    return await this.questions.ask(question, withinMs)
  }

  answer (answer: (question: string) => string): () => void {
    return this.questions.answer(answer)
  }

  async close (): Promise<void> {
    this.closed = true
    this.stopWatching()
    this.questions.close()
    await this.counts.close()
    this.connections.close()
  }
}
