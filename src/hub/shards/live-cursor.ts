import { encodePositions, type ShardPosition } from '@tickwire/protocol'
import { type Entry, NO_EPOCH } from '../../log/log.js'
import type { Format } from '../format.js'
import type { ShardState } from '../hub-parts.js'

/**
 * The cursor of the subscribers that are live. It is made once per window for each format and each text of
 * marks (of `encodeMarks`), and shared by all of them.
 */
export class LiveCursor {
  private position: string | undefined
  private readonly frames = new Map<Format, Map<string, Buffer>>()
  /** Messages of instruments that are being moved between sets, or wait for that. */
  private readonly unmoved = new Set<Entry>()

  constructor (private readonly shards: readonly ShardState[]) {}

  text (marks: string): string {
    this.position ??= this.at(NOWHERE_ELSE)
    return this.position + marks
  }

  frame (format: Format, marks: string): Buffer {
    let frames = this.frames.get(format)
    if (frames === undefined) this.frames.set(format, frames = new Map())
    let frame = frames.get(marks)
    if (frame === undefined) frames.set(marks, frame = format.cursor(this.text(marks)))
    return frame
  }

  /**
   * Encodes some offsets by shard as a cursor in the current epochs, without marks. Shards without an offset
   * stand where the hub stands; sleeping shards are left out. The cursor stays before the message of an
   * instrument that is not in its new sets yet: a client that resumes there counts the instrument as entered.
   */
  at (offsets: ReadonlyMap<number, number>): string {
    const positions = new Map<number, ShardPosition>()
    for (const [shard, { isAwake, epochs, flushed }] of this.shards.entries()) {
      if (!isAwake) continue
      positions.set(shard, { epoch: epochs.at(-1)!.epoch, offset: offsets.get(shard) ?? flushed })
    }
    for (const { shard, offset } of this.unmoved) {
      const { epoch, offset: before } = positions.get(shard)!
      positions.set(shard, { epoch, offset: Math.min(before, offset - 1) })
    }
    return encodePositions(positions)
  }

  /** Encodes a cursor in no epoch: a client that resumes with it gets a `reset` for every topic. */
  void (): string {
    const nowhere: ShardPosition = { epoch: NO_EPOCH, offset: 0 }
    return encodePositions(new Map(Array.from(this.shards.keys(), shard => [shard, nowhere])))
  }

  /** Drops the cursors made so far, because the hub stands elsewhere now. */
  invalidate (): void {
    this.position = undefined
    // A dialect of one connection has a format of its own, which must not stay when the connection has gone.
    this.frames.clear()
  }

  /** Makes cursors stay before the message of an instrument until {@link release}. */
  stayBefore (entry: Entry): void {
    this.unmoved.add(entry)
  }

  release (entry: Entry): void {
    this.unmoved.delete(entry)
  }
}

const NOWHERE_ELSE: ReadonlyMap<number, number> = new Map()
