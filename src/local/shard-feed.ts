import { canFollow } from '../log/batch-text.js'
import type { Entry, EpochStart, Log, TailBatch, Tailing } from '../log/log.js'
import { RecentBatches } from './recent-batches.js'

/** Most characters of payload in one batch. */
const MAX_BATCH_LENGTH = 256 * 1024

/** A worker that follows a shard. */
export interface Follower {
  send (frame: Buffer): void
}

/**
 * What is appended to one shard, on its way to the workers that follow it. All that comes in a turn of the
 * event loop is gathered, encoded once, and sent to each of them.
 */
export class ShardFeed {
  readonly followers = new Set<Follower>()
  readonly recent: RecentBatches
  private epoch: EpochStart | undefined
  private pending: Entry[] = []
  private tailing: Tailing | undefined

  /** @param onPending is called when there is something to flush */
  constructor (
    private readonly shard: number,
    recentBytes: number,
    now: () => number,
    private readonly onPending: () => void
  ) {
    this.recent = new RecentBatches(shard, recentBytes, now)
  }

  async start (log: Log): Promise<void> {
    this.tailing = await log.tail(this.shard, batch => { this.take(batch) })
    this.epoch ??= this.tailing.head.epochs.at(-1)!
  }

  /** Sends what was gathered. */
  flush (): void {
    const { pending } = this
    if (pending.length === 0) return
    this.pending = []
    for (let from = 0; from < pending.length;) {
      let length = pending[from]!.payload.length
      let to = from + 1
      for (; to < pending.length && length < MAX_BATCH_LENGTH; to++) {
        if (!canFollow(pending[to]!, pending[to - 1]!)) break
        length += pending[to]!.payload.length
      }
      this.send(this.recent.add(this.epoch!, pending.slice(from, to)))
      from = to
    }
  }

  close (): void {
    this.tailing?.end()
    this.followers.clear()
  }

  private take ({ epoch, entries, hole }: TailBatch): void {
    if (epoch.epoch !== this.epoch?.epoch) {
      this.flush()
      this.recent.clear()
      this.epoch = epoch
      if (entries.length === 0) this.send(this.recent.announcement(epoch))
    } else if (hole !== undefined) {
      // Followers see the gap in the offsets, and read what is retained of it.
      this.flush()
      this.recent.clear()
    }
    if (entries.length === 0) return
    // One by one: a batch may have more entries than a call may have arguments.
    for (const entry of entries) this.pending.push(entry)
    this.onPending()
  }

  private send (frame: Buffer): void {
    for (const follower of this.followers) follower.send(frame)
  }
}
