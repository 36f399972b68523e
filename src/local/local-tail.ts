import { FollowedShards } from '../log/followed-shards.js'
import type { Tailing } from '../log/log.js'
import type { Listener, TailSource } from '../log/shard-tail.js'
import type { LocalLink } from './local-link.js'

/** How soon a shard that could not be read is read again. */
const LOOK_AGAIN_MS = 100

/**
 * Follows shards over the socket. The socket loses nothing while it stands; after a loss, each tail reads
 * what it has missed.
 */
export class LocalTail {
  private readonly followed: FollowedShards
  private readonly retries = new Map<number, NodeJS.Timeout>()

  constructor (private readonly link: LocalLink, source: TailSource) {
    this.followed = new FollowedShards(source, {
      listen: async shard => { await link.call('follow', shard) },
      // If the socket is lost, there is nothing to leave.
      unlisten: shard => { link.call('leave', shard).catch(() => {}) },
      onAnswer: () => {},
      onFailure: shard => { this.resumeSoon(shard) },
      onDeaf: shard => { this.resume(shard) }
    })
    link.onBatch = (shard, text) => { this.followed.tail(shard)?.hear(text) }
    link.listeners.add({
      onConnect: () => { for (const shard of this.followed.shards()) this.resume(shard) }
    })
  }

  /** See `Log.tail`. */
  async follow (shard: number, onBatch: Listener): Promise<Tailing> {
    return await this.followed.follow(shard, onBatch)
  }

  close (): void {
    for (const timer of this.retries.values()) clearTimeout(timer)
    this.followed.close()
  }

  private resume (shard: number): void {
    this.link.call('follow', shard).then(
      () => { this.followed.tail(shard)?.miss() },
      () => { this.resumeSoon(shard) }
    )
  }

  private resumeSoon (shard: number): void {
    if (this.retries.has(shard) || this.followed.tail(shard) === undefined) return
    this.retries.set(shard, setTimeout(() => {
      this.retries.delete(shard)
      if (this.followed.tail(shard) !== undefined) this.resume(shard)
    }, LOOK_AGAIN_MS).unref())
  }
}
