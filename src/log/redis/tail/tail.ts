import { performance } from 'node:perf_hooks'
import { FollowedShards } from '../../followed-shards.js'
import type { Tailing } from '../../log.js'
import type { Listener, TailSource } from '../../shard-tail.js'
import { ShardListener } from './listener.js'
import type { Masters } from '../masters/masters.js'
import { timeLimit } from '../time-limit.js'

/** How often each shard is checked for missed batches: pub/sub may lose messages. */
const LOOK_MS = 1000
/**
 * How soon shards are checked again while one does not answer, and how long it may not answer until watchers
 * hear of it.
 */
const LOOK_AGAIN_MS = 100
const GRACE_MS = 500
/** How long `follow` waits until it hears the shard. */
const LISTEN_PATIENCE_MS = 900

export interface TailOptions extends TailSource {
  /** Pub/sub channels, by shard. */
  readonly channels: readonly string[]
  /** The connections that listen. */
  readonly subscriber: Masters
  /** The connections that reads use. */
  readonly reader: Masters
  readonly onError: (error: unknown, message: string) => void
}

/**
 * Follows shards on Redis: hears what is published to them, and checks each second whether something was
 * missed.
 */
export class Tail {
  private readonly followed: FollowedShards
  private readonly watchers = new Set<(available: boolean) => void>()
  private available = true
  /** By shard that does not answer, since when, in milliseconds of `performance.now`. */
  private readonly failing = new Map<number, number>()
  private timer: NodeJS.Timeout | undefined
  private readonly listener: ShardListener
  private closed = false

  constructor (private readonly options: TailOptions) {
    this.listener = new ShardListener(options.subscriber, options.channels, {
      onText: (shard, text) => { this.followed.tail(shard)?.hear(text) },
      onMissed: shard => { this.followed.tail(shard)?.miss() }
    })
    this.followed = new FollowedShards(options, {
      listen: async shard => {
        // If listening fails now, the listener tries again, and the tail then looks for what it missed.
        await timeLimit(this.listener.listen(shard), LISTEN_PATIENCE_MS).catch(() => {})
      },
      unlisten: shard => {
        this.listener.unlisten(shard)
        if (this.failing.has(shard)) this.answered(shard)
      },
      onAnswer: shard => { this.answered(shard) },
      onFailure: (shard, error) => { this.failed(shard, error) },
      onDeaf: shard => { this.listener.listenAnew(shard) }
    })
    options.reader.each(redis => { redis.on('close', () => { this.look() }) })
    this.plan(LOOK_MS)
  }

  /** See `Log.tail`. */
  async follow (shard: number, onBatch: Listener): Promise<Tailing> {
    return await this.followed.follow(shard, onBatch)
  }

  /** Returns the epochs of a shard that are never entered again. */
  left (shard: number): readonly number[] {
    return this.followed.left(shard)
  }

  /** See `Log.watch`. */
  watch (onChange: (available: boolean) => void): () => void {
    this.watchers.add(onChange)
    return () => { this.watchers.delete(onChange) }
  }

  close (): void {
    this.closed = true
    clearTimeout(this.timer)
    this.listener.close()
    this.followed.close()
  }

  private plan (inMs: number): void {
    clearTimeout(this.timer)
    if (!this.closed) this.timer = setTimeout(() => { this.look() }, inMs).unref()
  }

  /** Checks every followed shard for missed batches. */
  private look (): void {
    if (this.closed) return
    this.plan(this.failing.size === 0 ? LOOK_MS : LOOK_AGAIN_MS)
    for (const shard of this.followed.shards()) this.followed.tail(shard)?.look()
  }

  private answered (shard: number): void {
    this.failing.delete(shard)
    if (this.failing.size === 0) this.setAvailable(true)
  }

  private failed (shard: number, error: unknown): void {
    if (this.closed) return
    const now = performance.now()
    if (this.failing.size === 0) this.plan(LOOK_AGAIN_MS)
    const since = this.failing.get(shard) ?? now
    this.failing.set(shard, since)
    if (!this.available || now - since < GRACE_MS) return
    this.options.onError(error, 'the log cannot be followed; it is tried again until it can')
    this.setAvailable(false)
  }

  private setAvailable (available: boolean): void {
    if (this.available === available) return
    this.available = available
    for (const watcher of this.watchers) watcher(available)
  }
}
