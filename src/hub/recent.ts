import type { Entry } from '../log/log.js'

/** What a node keeps of each shard so that a catch-up can join live delivery in one tick. */
export const RECENT_SECONDS = 60

/** What an entry costs beside its payload: the object, its topic's share, the slot. Measured at about 140 bytes. */
const ENTRY_OVERHEAD_BYTES = 160

/** Slots that may lie empty at the front before the array is compacted. */
const SLACK = 4096

/**
 * The last entries of one shard that were passed on, without a hole, oldest first, bounded by age and bytes.
 * `start` is the offset behind which it is complete.
 */
export class RecentEntries {
  /** Undefined before `first`. */
  private entries: Array<Entry | undefined> = []
  private first = 0
  private bytes = 0

  constructor (public start: number, private readonly maxBytes: number) {}

  push (entry: Entry): void {
    this.entries.push(entry)
    this.bytes += entry.payload.length + ENTRY_OVERHEAD_BYTES
    while (this.bytes > this.maxBytes && this.entries.length - this.first > 1) this.shift()
  }

  expire (before: number): void {
    while (this.first < this.entries.length && this.entries[this.first]!.timestamp < before) this.shift()
  }

  /** Drops what lies at or beyond an offset: a new epoch gives those offsets out again. */
  truncate (from: number): void {
    while (this.entries.length > this.first && this.entries.at(-1)!.offset >= from) {
      const entry = this.entries.pop()!
      this.bytes -= entry.payload.length + ENTRY_OVERHEAD_BYTES
    }
    this.start = Math.min(this.start, from - 1)
  }

  /** What was between is not known: what comes behind an offset is all there is. */
  restart (offset: number): void {
    this.entries = []
    this.first = 0
    this.bytes = 0
    this.start = offset
  }

  /** Whether all that came after the offset is here. */
  covers (offset: number): boolean {
    return offset >= this.start
  }

  /** Calls `visit` for each entry after the offset, oldest first, until it returns false. */
  after (offset: number, visit: (entry: Entry) => boolean): void {
    let low = this.first
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.entries[middle]!.offset <= offset) low = middle + 1
      else high = middle
    }
    for (let i = low; i < this.entries.length; i++) {
      if (!visit(this.entries[i]!)) return
    }
  }

  private shift (): void {
    const entry = this.entries[this.first]!
    this.start = Math.max(this.start, entry.offset)
    this.bytes -= entry.payload.length + ENTRY_OVERHEAD_BYTES
    // The slot would keep the entry alive until the next compaction. (`delete` would make the array a slow one.)
    this.entries[this.first++] = undefined
    if (this.first > SLACK && this.first * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.first)
      this.first = 0
    }
  }
}
