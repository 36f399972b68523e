import type { Entry, EpochStart } from '../log/log.js'
import { batchText } from '../log/batch-text.js'
import { BATCH_HEAD_BYTES, HEAD_BYTES, writeBatch } from './frames.js'

/** Bytes of a slab, unless one batch takes more. */
const SLAB_BYTES = 256 * 1024
/** How long batches are kept. */
const RECENT_MS = 60_000

/** Frames of consecutive batches, one behind another. What is written is never changed. */
interface Slab {
  readonly bytes: Buffer
  used: number
  /** The offset of the last message. */
  last: number
  /** When it was last written to, in milliseconds of the clock. */
  at: number
}

/**
 * The newest batches of a shard as the frames in which they are sent. Each is encoded once, into memory
 * outside the garbage collector's heap; what is sent to workers are views of it.
 */
export class RecentBatches {
  private readonly slabs: Slab[] = []
  private bytes = 0

  constructor (
    private readonly shard: number,
    private readonly maxBytes: number,
    private readonly now: () => number
  ) {}

  /** Encodes a batch, and keeps it. @param entries at least one @returns its frame */
  add (epoch: EpochStart, entries: readonly Entry[]): Buffer {
    const text = batchText(epoch, entries)
    const length = Buffer.byteLength(text)
    const slab = this.slabFor(BATCH_HEAD_BYTES + length)
    const begin = slab.used
    slab.used += BATCH_HEAD_BYTES + length
    slab.last = entries.at(-1)!.offset
    slab.at = this.now()
    writeBatch(slab.bytes, begin, { shard: this.shard, last: slab.last, text }, length)
    return slab.bytes.subarray(begin, slab.used)
  }

  /** Returns the frame that announces an epoch. */
  announcement (epoch: EpochStart): Buffer {
    const text = batchText(epoch, [])
    const length = Buffer.byteLength(text)
    const frame = Buffer.allocUnsafe(BATCH_HEAD_BYTES + length)
    writeBatch(frame, 0, { shard: this.shard, last: epoch.start - 1, text }, length)
    return frame
  }

  /** Forgets all: what comes next does not follow from it. */
  clear (): void {
    this.slabs.length = this.bytes = 0
  }

  expire (): void {
    const before = this.now() - RECENT_MS
    while (this.slabs.length > 1 && this.slabs[0]!.at < before) this.drop()
  }

  /** Returns frames of the newest batches, oldest first, of about `maxBytes` in all. */
  newest (maxBytes: number): Buffer[] {
    const found: Buffer[] = []
    for (let index = this.slabs.length - 1, length = 0; index >= 0 && length < maxBytes; index--) {
      const { bytes, used } = this.slabs[index]!
      found.push(bytes.subarray(0, used))
      length += used
    }
    return found.reverse()
  }

  /** Returns the frames of at most `limit` batches that end after an offset, oldest first. */
  after (offset: number, limit: number): Buffer[] {
    const found: Buffer[] = []
    for (const { bytes, used, last } of this.slabs) {
      if (last <= offset) continue
      for (let at = 0; at < used && found.length < limit;) {
        const end = at + HEAD_BYTES - 1 + bytes.readUInt32BE(at)
        if (bytes.readDoubleBE(at + HEAD_BYTES + 1) > offset) found.push(bytes.subarray(at, end))
        at = end
      }
    }
    return found
  }

  private slabFor (length: number): Slab {
    const newest = this.slabs.at(-1)
    if (newest !== undefined && newest.bytes.length - newest.used >= length) return newest
    const bytes = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, length))
    const slab: Slab = { bytes, used: 0, last: 0, at: 0 }
    this.slabs.push(slab)
    this.bytes += bytes.length
    while (this.bytes > this.maxBytes && this.slabs.length > 1) this.drop()
    return slab
  }

  private drop (): void {
    this.bytes -= this.slabs.shift()!.bytes.length
  }
}
