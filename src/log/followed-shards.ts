import { Lineage } from './lineage.js'
import type { EpochStart, Tailing } from './log.js'
import { type Listener, ShardTail, type TailSource } from './shard-tail.js'

/** How shards are heard, and what their tails report. */
export interface Hearing {
  /**
   * Begins to hear a shard, so that nothing gets lost between that and the head that is read next.
   * @throws ProtocolError `log_unavailable`
   */
  listen (shard: number): Promise<void>
  /** Nobody follows the shard any more. */
  unlisten (shard: number): void
  /** See `ShardTailCallbacks`. */
  onAnswer (shard: number): void
  onFailure (shard: number, error: unknown): void
  onDeaf (shard: number): void
}

interface Followed {
  readonly tail: ShardTail
  /** Number of followers, with those that are about to follow. */
  users: number
}

/** The shards that somebody asks for, and no others: each has one tail, whoever follows it. */
export class FollowedShards {
  private readonly followed = new Map<number, Followed>()
  /**
   * The epochs of every shard that was ever followed: if one is followed again, it still knows what it has
   * left.
   */
  private readonly lineages = new Map<number, Lineage>()

  constructor (private readonly source: TailSource, private readonly hearing: Hearing) {}

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
    try {
      await this.hearing.listen(shard)
      return { head: await followed.tail.join(listener), end }
    } catch (error) {
      end()
      throw error
    }
  }

  /** The tail of a shard; undefined if nobody follows it. */
  tail (shard: number): ShardTail | undefined {
    return this.followed.get(shard)?.tail
  }

  /** The shards that are followed. */
  shards (): Iterable<number> {
    return this.followed.keys()
  }

  /** Returns the epochs of a shard that are never entered again. */
  left (shard: number): readonly number[] {
    return this.lineages.get(shard)?.left ?? []
  }

  close (): void {
    for (const { tail } of this.followed.values()) tail.end()
    this.followed.clear()
  }

  private use (shard: number): Followed {
    let followed = this.followed.get(shard)
    if (followed === undefined) {
      const { hearing } = this
      const tail = new ShardTail(shard, this.source, {
        onAnswer: () => { hearing.onAnswer(shard) },
        onFailure: error => { hearing.onFailure(shard, error) },
        onDeaf: () => { hearing.onDeaf(shard) },
        lineage: epochs => this.lineageOf(shard, epochs)
      })
      this.followed.set(shard, followed = { tail, users: 0 })
    }
    followed.users++
    return followed
  }

  private leave (shard: number, followed: Followed): void {
    if (--followed.users > 0 || this.followed.get(shard) !== followed) return
    followed.tail.end()
    this.followed.delete(shard)
    this.hearing.unlisten(shard)
  }

  /** @param epochs of the log when following begins */
  private lineageOf (shard: number, epochs: readonly EpochStart[]): Lineage {
    let lineage = this.lineages.get(shard)
    if (lineage === undefined) this.lineages.set(shard, lineage = new Lineage(epochs))
    else lineage.follow(epochs)
    return lineage
  }
}
