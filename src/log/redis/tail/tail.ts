import { performance } from 'node:perf_hooks'
import { Lineage } from '../../lineage.js'
import type { EpochStart, Tailing } from '../../log.js'
import { type Listener, ShardTail, type TailSource } from '../../shard-tail.js'
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

interface Followed {
  readonly tail: ShardTail
  /** Number of followers, with those that are about to follow. */
  users: number
}

/**
 * Follows the shards that somebody asks for, and no others: hears what is published to them, and checks each
 * second whether something was missed.
 */
export class Tail {
  private readonly shards = new Map<number, Followed>()
  /**
   * The epochs of every shard that was ever followed: if one is followed again, it still knows what it has
   * left.
   */
  private readonly lineages = new Map<number, Lineage>()
  private readonly watchers = new Set<(available: boolean) => void>()
  private available = true
  /** By shard that does not answer, since when, in milliseconds of `performance.now`. */
  private readonly failing = new Map<number, number>()
  private timer: NodeJS.Timeout | undefined
  private readonly listener: ShardListener
  private closed = false

  constructor (private readonly options: TailOptions) {
    this.listener = new ShardListener(options.subscriber, options.channels, {
      onText: (shard, text) => { this.shards.get(shard)?.tail.hear(text) },
      onMissed: shard => { this.shards.get(shard)?.tail.miss() }
    })
    options.reader.each(redis => { redis.on('close', () => { this.look() }) })
    this.plan(LOOK_MS)
  }

  /** See `Log.tail`. */
  async follow (shard: number, onBatch: Listener): Promise<Tailing> {
    // A function of its own, so that one `onBatch` may follow a shard twice.
    const listener: Listener = batch => { onBatch(batch) }
    const followed = this.use(shard)
    let ended = false
    const end = (): void => {
      if (ended) return
      ended = true
      followed.tail.leave(listener)
      this.leave(shard, followed)
    }
    // Listens first and then reads the head, so that nothing gets lost between. If listening fails now, the
    // listener tries again, and the tail then looks for what it missed.
    await timeLimit(this.listener.listen(shard), LISTEN_PATIENCE_MS).catch(() => {})
    try {
      return { head: await followed.tail.join(listener), end }
    } catch (error) {
      end()
      throw error
    }
  }

  /** Returns the epochs of a shard that are never entered again. */
  left (shard: number): readonly number[] {
    return this.lineages.get(shard)?.left ?? []
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
    for (const { tail } of this.shards.values()) tail.end()
    this.shards.clear()
  }

  private use (shard: number): Followed {
    let followed = this.shards.get(shard)
    if (followed === undefined) {
      const tail = new ShardTail(shard, this.options, {
        onAnswer: () => { this.answered(shard) },
        onFailure: error => { this.failed(shard, error) },
        onDeaf: () => { this.listener.listenAnew(shard) },
        lineage: epochs => this.lineageOf(shard, epochs)
      })
      this.shards.set(shard, followed = { tail, users: 0 })
    }
    followed.users++
    return followed
  }

  private leave (shard: number, followed: Followed): void {
    if (--followed.users > 0 || this.shards.get(shard) !== followed) return
    followed.tail.end()
    this.shards.delete(shard)
    this.listener.unlisten(shard)
    if (this.failing.has(shard)) this.answered(shard)
  }

  /** @param epochs of the log when following begins */
  private lineageOf (shard: number, epochs: readonly EpochStart[]): Lineage {
    let lineage = this.lineages.get(shard)
    if (lineage === undefined) this.lineages.set(shard, lineage = new Lineage(epochs))
    else lineage.follow(epochs)
    return lineage
  }

  private plan (inMs: number): void {
    clearTimeout(this.timer)
    if (!this.closed) this.timer = setTimeout(() => { this.look() }, inMs).unref()
  }

  /** Checks every followed shard for missed batches. */
  private look (): void {
    if (this.closed) return
    this.plan(this.failing.size === 0 ? LOOK_MS : LOOK_AGAIN_MS)
    for (const { tail } of this.shards.values()) tail.look()
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
