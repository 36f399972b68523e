import { EntryQueue } from '../../log/entry-queue.js'
import type { Entry } from '../../log/log.js'

/** What a node keeps of each shard so that a catch-up can join live delivery in one tick. */
export const RECENT_SECONDS = 60

/** What an entry costs beside its payload, with what blocks have free. */
const ENTRY_OVERHEAD_BYTES = 90

/**
 * The last entries of one shard that were passed on, without a hole, oldest first, bounded by age and bytes.
 * `start` is the offset behind which it is complete.
 */
export class RecentEntries {
  private readonly entries: EntryQueue
  private bytes = 0

  constructor (shard: number, public start: number, private readonly maxBytes: number) {
    this.entries = new EntryQueue(shard)
  }

  push (entry: Entry): void {
    this.bytes += this.entries.push(entry) + ENTRY_OVERHEAD_BYTES
    while (this.bytes > this.maxBytes && this.entries.size > 1) this.shift()
  }

  expire (before: number): void {
    while (this.entries.size > 0 && this.entries.firstTimestamp < before) this.shift()
  }

  /** Drops what lies at or beyond an offset: a new epoch gives those offsets out again. */
  truncate (from: number): void {
    while (this.entries.size > 0 && this.entries.lastOffset >= from) this.bytes -= this.entries.pop() + ENTRY_OVERHEAD_BYTES
    this.start = Math.min(this.start, from - 1)
  }

  /** What was between is not known: what comes behind an offset is all there is. */
  restart (offset: number): void {
    this.entries.clear()
    this.bytes = 0
    this.start = offset
  }

  /** Whether all that came after the offset is here. */
  covers (offset: number): boolean {
    return offset >= this.start
  }

  /** Calls `visit` for each entry after the offset that is wanted, oldest first, until it returns false. */
  after (offset: number, wanted: (topic: string, offset: number) => boolean, visit: (entry: Entry) => boolean): void {
    this.entries.after({ offset }, visit, wanted)
  }

  private shift (): void {
    this.start = Math.max(this.start, this.entries.firstOffset)
    this.bytes -= this.entries.shift() + ENTRY_OVERHEAD_BYTES
  }
}
