import type { Redis } from 'ioredis'
import type { Masters } from '../masters/masters.js'
import { TimedOut, timeLimit } from '../time-limit.js'

/** How often a connection is asked whether it still answers, and how long it may take until it is made anew. */
const PING_MS = 1000
const PING_PATIENCE_MS = 900
/** How soon a shard is listened to again that could not be. */
const LISTEN_AGAIN_MS = 50

export interface ListenerCallbacks {
  /** What was published to a shard. */
  onText (shard: number, text: string): void
  /** What was published to a shard may have been missed: it is not heard any more, or it is heard again. */
  onMissed (shard: number): void
}

/**
 * Hears what is published to shards, each from its master. Pub/sub may lose messages: the listener says when it may have, and
 * listens again by itself to all that it was told to, wherever that is then.
 */
export class ShardListener {
  private readonly wanted = new Set<number>()
  /** Of those that are wanted, the connection on which they are heard. */
  private readonly heard = new Map<number, Redis>()
  /** Those that are being listened to at this moment. */
  private readonly trying = new Set<number>()
  private readonly timer: NodeJS.Timeout
  private again: NodeJS.Timeout | undefined

  /** @param channels by shard */
  constructor (private readonly masters: Masters, private readonly channels: readonly string[], private readonly callbacks: ListenerCallbacks) {
    const shards = new Map(channels.map((channel, shard) => [channel, shard]))
    masters.each(redis => {
      redis.on('smessage', (channel: string, text: string) => {
        const shard = shards.get(channel)
        if (shard !== undefined && this.wanted.has(shard)) this.callbacks.onText(shard, text)
      })
      redis.on('ready', () => { this.listenToAll() })
      redis.on('close', () => { this.deaf(redis) })
      // A node that does not hold a slot any more ends the subscriptions to it; the client does not say which.
      redis.on('moved', () => { this.deaf(redis) })
    })
    masters.onChange(() => { this.listenToAll() })
    this.timer = setInterval(() => { this.lookAfter() }, PING_MS).unref()
  }

  /** Resolves when it is heard. Where that fails, it is tried again until it is heard or not wanted any more. */
  async listen (shard: number): Promise<void> {
    this.wanted.add(shard)
    try {
      await this.subscribe(shard)
    } catch (error) {
      this.listenSoon()
      throw error
    }
  }

  unlisten (shard: number): void {
    if (!this.wanted.delete(shard)) return
    const redis = this.heard.get(shard)
    this.heard.delete(shard)
    // A connection that is away begins with what is wanted then.
    redis?.sunsubscribe(this.channels[shard]!).catch(() => {})
  }

  /** Something was published to it that was not heard. */
  listenAnew (shard: number): void {
    this.heard.delete(shard)
    this.listenToAll()
  }

  close (): void {
    clearInterval(this.timer)
    clearTimeout(this.again)
    this.wanted.clear()
    this.heard.clear()
  }

  private async subscribe (shard: number): Promise<void> {
    const channel = this.channels[shard]!
    const redis = await this.masters.send(channel, async redis => {
      await redis.ssubscribe(channel)
      return redis
    })
    // It was closed, or not wanted any more, before this was known.
    if (redis.status !== 'ready') throw new Error('Connection is closed')
    const before = this.heard.get(shard)
    if (this.wanted.has(shard)) this.heard.set(shard, redis)
    else redis.sunsubscribe(channel).catch(() => {})
    if (before !== redis) before?.sunsubscribe(channel).catch(() => {})
  }

  /** What was heard on a connection is not heard any more. */
  private deaf (redis: Redis): void {
    for (const [shard, on] of this.heard) {
      if (on !== redis) continue
      this.heard.delete(shard)
      this.callbacks.onMissed(shard)
    }
    this.listenToAll()
  }

  /** Listens to what is wanted and not heard, or heard from who is not its master any more. */
  private listenToAll (): void {
    for (const shard of this.wanted) {
      const on = this.heard.get(shard)
      if (this.trying.has(shard) || (on !== undefined && on === this.masters.of(this.channels[shard]!))) continue
      this.trying.add(shard)
      this.subscribe(shard).then(() => { this.callbacks.onMissed(shard) }, () => { this.listenSoon() }).finally(() => { this.trying.delete(shard) })
    }
  }

  private listenSoon (): void {
    if (this.wanted.size === 0) return
    this.again ??= setTimeout(() => {
      this.again = undefined
      this.listenToAll()
    }, LISTEN_AGAIN_MS).unref()
  }

  private lookAfter (): void {
    this.listenToAll()
    for (const redis of new Set([...this.wanted].map(shard => this.masters.of(this.channels[shard]!)))) {
      if (redis?.status === 'ready') timeLimit(redis.ping(), PING_PATIENCE_MS).catch((error: unknown) => { if (error instanceof TimedOut) redis.disconnect(true) })
    }
  }
}
