import type { Redis } from 'ioredis'
import type { Masters } from '../masters/masters.js'
import { TimedOut, timeLimit } from '../time-limit.js'

/** How often a connection is pinged, and how long it may take to answer before it is made anew. */
const PING_MS = 1000
const PING_PATIENCE_MS = 900
/** How soon the listener subscribes again to a shard that it could not subscribe to. */
const LISTEN_AGAIN_MS = 50

export interface ListenerCallbacks {
  /** A text was published to a shard. */
  onText (shard: number, text: string): void
  /** The listener may have missed a text: it is not subscribed to the shard any more, or it is again. */
  onMissed (shard: number): void
}

/**
 * Hears what is published to shards, each from its master. Pub/sub may lose messages. The listener says when
 * it may have missed some, and subscribes again by itself to all wanted shards, at whichever masters they are
 * then.
 */
export class ShardListener {
  private readonly wanted = new Set<number>()
  /** By wanted shard, the connection that is subscribed to it. */
  private readonly heard = new Map<number, Redis>()
  /** Shards whose subscription is under way. */
  private readonly trying = new Set<number>()
  private readonly timer: NodeJS.Timeout
  private again: NodeJS.Timeout | undefined

  /** @param channels by shard */
  constructor (
    private readonly masters: Masters,
    private readonly channels: readonly string[],
    private readonly callbacks: ListenerCallbacks
  ) {
    const shards = new Map(channels.map((channel, shard) => [channel, shard]))
    masters.each(redis => {
      redis.on('smessage', (channel: string, text: string) => {
        const shard = shards.get(channel)
        if (shard !== undefined && this.wanted.has(shard)) this.callbacks.onText(shard, text)
      })
      redis.on('ready', () => { this.listenToAll() })
      redis.on('close', () => { this.loseAll(redis) })
      // A node that does not hold a slot any more ends its subscriptions, and the client does not say which.
      redis.on('moved', () => { this.loseAll(redis) })
    })
    masters.onChange(() => { this.listenToAll() })
    this.timer = setInterval(() => { this.checkAll() }, PING_MS).unref()
  }

  /**
   * Subscribes to a shard. If that fails, it throws, and tries again until it succeeds or `unlisten` is
   * called.
   */
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
    // If the connection is closed now, it subscribes to what is wanted when it is back.
    redis?.sunsubscribe(this.channels[shard]!).catch(() => {})
  }

  /** Subscribes to a shard again, because something was published that was not heard. */
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
    // The connection may have closed, or `unlisten` may have been called, before the answer came.
    if (redis.status !== 'ready') throw new Error('Connection is closed')
    const before = this.heard.get(shard)
    if (this.wanted.has(shard)) this.heard.set(shard, redis)
    else redis.sunsubscribe(channel).catch(() => {})
    if (before !== redis) before?.sunsubscribe(channel).catch(() => {})
  }

  /** Forgets the subscriptions of a connection, which may have ended. */
  private loseAll (redis: Redis): void {
    for (const [shard, on] of this.heard) {
      if (on !== redis) continue
      this.heard.delete(shard)
      this.callbacks.onMissed(shard)
    }
    this.listenToAll()
  }

  /** Subscribes to each wanted shard that is not subscribed to, or not at its current master. */
  private listenToAll (): void {
    for (const shard of this.wanted) {
      const on = this.heard.get(shard)
      const isHeard = on !== undefined && on === this.masters.of(this.channels[shard]!)
      if (isHeard || this.trying.has(shard)) continue
      this.trying.add(shard)
      this.subscribe(shard)
        .then(() => { this.callbacks.onMissed(shard) }, () => { this.listenSoon() })
        .finally(() => { this.trying.delete(shard) })
    }
  }

  private listenSoon (): void {
    if (this.wanted.size === 0) return
    this.again ??= setTimeout(() => {
      this.again = undefined
      this.listenToAll()
    }, LISTEN_AGAIN_MS).unref()
  }

  private checkAll (): void {
    this.listenToAll()
    for (const redis of new Set([...this.wanted].map(shard => this.masters.of(this.channels[shard]!)))) {
      if (redis?.status !== 'ready') continue
      timeLimit(redis.ping(), PING_PATIENCE_MS).catch((error: unknown) => {
        if (error instanceof TimedOut) redis.disconnect(true)
      })
    }
  }
}
