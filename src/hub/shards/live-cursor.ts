import { encodePositions, type ShardPosition } from '@tickwire/protocol'
import { type Entry, NO_EPOCH } from '../../log/log.js'
import type { Format } from '../format.js'
import type { ShardState } from '../hub-parts.js'

/**
 * The cursor of those who stand where the hub stands: made once per window, by marks (of `encodeMarks`) and format, and
 * shared by all.
 */
export class LiveCursor {
  private position: string | undefined
  private readonly frames = new Map<Format, Map<string, Buffer>>()
  /** Messages of instruments that are being moved between sets, or wait for it. */
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
   * The cursor of some offsets by shard, elsewhere where the hub stands, in the current epochs, without marks; shards that sleep
   * are not in it. It stays before an instrument that is not yet in its new sets: on resume, what came after the cursor counts as
   * entered.
   */
  at (offsets: ReadonlyMap<number, number>): string {
    const positions = new Map<number, ShardPosition>()
    for (const [shard, { isAwake, epochs, flushed }] of this.shards.entries()) {
      if (isAwake) positions.set(shard, { epoch: epochs.at(-1)!.epoch, offset: offsets.get(shard) ?? flushed })
    }
    for (const { shard, offset } of this.unmoved) {
      const { epoch, offset: before } = positions.get(shard)!
      positions.set(shard, { epoch, offset: Math.min(before, offset - 1) })
    }
    return encodePositions(positions)
  }

  /** A cursor of nowhere: who comes back with it is told that all is lost. */
  void (): string {
    return encodePositions(new Map(this.shards.map((_, shard): [number, ShardPosition] => [shard, { epoch: NO_EPOCH, offset: 0 }])))
  }

  /** The hub stands elsewhere: cursors made so far are not its own any more. */
  moved (): void {
    this.position = undefined
    for (const frames of this.frames.values()) frames.clear()
  }

  /** Stays before the message of an instrument until {@link release}. */
  hold (entry: Entry): void {
    this.unmoved.add(entry)
  }

  release (entry: Entry): void {
    this.unmoved.delete(entry)
  }
}

const NOWHERE_ELSE: ReadonlyMap<number, number> = new Map()
