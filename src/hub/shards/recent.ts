import { EntryQueue } from '../../log/entry-queue.js'
import type { Entry } from '../../log/log.js'

/** How long a node keeps the entries of each shard, so that a catch-up can join live delivery in one tick. */
export const RECENT_SECONDS = 60

/** What an entry costs beside its payload, including its part of the free space of blocks. */
const ENTRY_OVERHEAD_BYTES = 90

/**
 * The entries of one shard that were passed on last: without a hole, oldest first, bounded by age and bytes.
 */
export class RecentEntries {
  private readonly entries: EntryQueue
  private bytes = 0

  /** @param start the offset after which nothing is missing */
  constructor (shard: number, public start: number, private readonly maxBytes: number) {
    this.entries = new EntryQueue(shard)
  }

  push (entry: Entry): void {
    this.bytes += this.entries.push(entry) + ENTRY_OVERHEAD_BYTES
    while (this.bytes > this.maxBytes && this.entries.size > 1) this.shift()
  }

  /** Drops entries that the log accepted before a time, in milliseconds since 1970. */
  expire (before: number): void {
    while (this.entries.size > 0 && this.entries.firstTimestamp < before) this.shift()
  }

  /** Drops the entries from an offset on: a new epoch gives those offsets out again. */
  truncate (from: number): void {
    while (this.entries.size > 0 && this.entries.lastOffset >= from) {
      this.bytes -= this.entries.pop() + ENTRY_OVERHEAD_BYTES
    }
    this.start = Math.min(this.start, from - 1)
  }

  /** Drops all entries, and begins anew after an offset: nothing is known of what lies between. */
  restart (offset: number): void {
    this.entries.clear()
    this.bytes = 0
    this.start = offset
  }

  /** Whether every entry after the offset is here. */
  covers (offset: number): boolean {
    return offset >= this.start
  }

  /** Calls `visit` for each wanted entry after the offset, oldest first, until `visit` returns false. */
  after (
    offset: number, wanted: (topic: string, offset: number) => boolean, visit: (entry: Entry) => boolean
  ): void {
    this.entries.after({ offset }, visit, wanted)
  }

  private shift (): void {
    this.start = Math.max(this.start, this.entries.firstOffset)
    this.bytes -= this.entries.shift() + ENTRY_OVERHEAD_BYTES
  }
}
