import { Lineage } from '../log/lineage.js'
import type { EpochStart, Tailing } from '../log/log.js'
import { type Listener, ShardTail, type TailSource } from '../log/shard-tail.js'
import type { LocalLink } from './local-link.js'

/** How soon a shard that could not be read is read again. */
const LOOK_AGAIN_MS = 100

interface Followed {
  readonly tail: ShardTail
  users: number
}

/**
 * Follows the shards that somebody asks for, over the socket. The socket loses nothing while it stands; after
 * a loss, each tail reads what it has missed.
 */
export class LocalTail {
  private readonly shards = new Map<number, Followed>()
  private readonly lineages = new Map<number, Lineage>()
  private readonly retries = new Map<number, NodeJS.Timeout>()

  constructor (private readonly link: LocalLink, private readonly source: TailSource) {
    link.onBatch = (shard, text) => { this.shards.get(shard)?.tail.hear(text) }
    link.listeners.add({
      onConnect: () => { for (const shard of this.shards.keys()) this.resume(shard) }
    })
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
    try {
      // Listens first and then reads the head, so that nothing gets lost between.
      await this.link.call('follow', shard)
      return { head: await followed.tail.join(listener), end }
    } catch (error) {
      end()
      throw error
    }
  }

  close (): void {
    for (const timer of this.retries.values()) clearTimeout(timer)
    for (const { tail } of this.shards.values()) tail.end()
    this.shards.clear()
  }

  private use (shard: number): Followed {
    let followed = this.shards.get(shard)
    if (followed === undefined) {
      const tail = new ShardTail(shard, this.source, {
        onAnswer: () => {},
        onFailure: () => { this.resumeSoon(shard) },
        onDeaf: () => { this.resume(shard) },
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
    // If the socket is lost, there is nothing to leave.
    this.link.call('leave', shard).catch(() => {})
  }

  private resume (shard: number): void {
    this.link.call('follow', shard).then(
      () => { this.shards.get(shard)?.tail.miss() },
      () => { this.resumeSoon(shard) }
    )
  }

  private resumeSoon (shard: number): void {
    if (this.retries.has(shard) || !this.shards.has(shard)) return
    this.retries.set(shard, setTimeout(() => {
      this.retries.delete(shard)
      if (this.shards.has(shard)) this.resume(shard)
    }, LOOK_AGAIN_MS).unref())
  }

  private lineageOf (shard: number, epochs: readonly EpochStart[]): Lineage {
    let lineage = this.lineages.get(shard)
    if (lineage === undefined) this.lineages.set(shard, lineage = new Lineage(epochs))
    else lineage.follow(epochs)
    return lineage
  }
}
