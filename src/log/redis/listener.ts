import type { Redis } from 'ioredis'
import { TimedOut, timeLimit } from './time-limit.js'

/** How often the connection is asked whether it still answers, and how long it may take until it is made anew. */
const PING_MS = 1000
const PING_PATIENCE_MS = 900

export interface ListenerCallbacks {
  /** What was published to a shard. */
  onText (shard: number, text: string): void
  /** What was published to a shard may have been missed: it is not heard any more, or it is heard again. */
  onMissed (shard: number): void
}

/**
 * Hears what is published to shards, over one connection. Pub/sub may lose messages: the listener says when it may have, and
 * listens again by itself to all that it was told to.
 */
export class ShardListener {
  private readonly wanted = new Set<number>()
  /** Of those that are wanted. */
  private readonly heard = new Set<number>()
  private readonly timer: NodeJS.Timeout

  /** @param channels by shard */
  constructor (private readonly connection: Redis, private readonly channels: readonly string[], private readonly callbacks: ListenerCallbacks) {
    const shards = new Map(channels.map((channel, shard) => [channel, shard]))
    connection.on('smessage', (channel: string, text: string) => {
      const shard = shards.get(channel)
      if (shard !== undefined && this.wanted.has(shard)) this.callbacks.onText(shard, text)
    })
    connection.on('ready', () => { this.listenToAll() })
    connection.on('close', () => {
      this.heard.clear()
      for (const shard of this.wanted) this.callbacks.onMissed(shard)
    })
    this.timer = setInterval(() => { this.lookAfter() }, PING_MS).unref()
  }

  /** Resolves when it is heard. Where that fails, it is tried again until it is heard or not wanted any more. */
  async listen (shard: number): Promise<void> {
    this.wanted.add(shard)
    await this.subscribe(shard)
  }

  unlisten (shard: number): void {
    if (!this.wanted.delete(shard)) return
    this.heard.delete(shard)
    // A connection that is away begins with what is wanted then.
    this.connection.sunsubscribe(this.channels[shard]!).catch(() => {})
  }

  close (): void {
    clearInterval(this.timer)
    this.wanted.clear()
  }

  private async subscribe (shard: number): Promise<void> {
    await this.connection.ssubscribe(this.channels[shard]!)
    if (this.wanted.has(shard)) this.heard.add(shard)
  }

  private listenToAll (): void {
    for (const shard of this.wanted) {
      if (!this.heard.has(shard)) this.subscribe(shard).then(() => { this.callbacks.onMissed(shard) }, () => {})
    }
  }

  private lookAfter (): void {
    if (this.connection.status !== 'ready') return
    this.listenToAll()
    timeLimit(this.connection.ping(), PING_PATIENCE_MS).catch((error: unknown) => { if (error instanceof TimedOut) this.connection.disconnect(true) })
  }
}
