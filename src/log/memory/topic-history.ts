import type { ChannelDefinition } from '@tickwire/protocol'
import type { Entry, TopicPosition } from '../log.js'

/** Slots that may lie empty at the front of a topic's entries before they are compacted. */
const SLACK = 64

interface State {
  readonly value: unknown
  readonly sequence: number
  readonly timestamp: number
}

/** A topic's state as JSON text. */
export interface StateText {
  readonly payload: string
  readonly sequence: number
  readonly timestamp: number
}

/**
 * What the log holds of one topic: its last messages, and its state. The state is folded only when it is asked
 * for, or when a message that it needs is about to be dropped; what was dropped is kept apart, as the base, so
 * that a loss of the newest messages leaves a state that never saw them.
 */
export class TopicHistory {
  last: TopicPosition = { sequence: 0, offset: 0 }
  /** Whether `OldestFirst` has a place for it. */
  placed = false
  private entries: Array<Entry | undefined> = []
  private start = 0
  /** The state that the dropped messages left behind. */
  private base: State | undefined
  /**
   * The base and the messages held, as far as they were folded when a snapshot was last asked for: folding 10,000
   * book updates afresh takes 10 ms. Never behind the base, and never the same object.
   */
  private current: State | undefined
  private cached: StateText | undefined

  constructor (
    readonly shard: number,
    private readonly reduce: ChannelDefinition['reduce'],
    /** Most messages held. */
    readonly maxMessages: number,
    /** Longest that a message is held, in milliseconds. */
    readonly maxAgeMs: number
  ) {}

  get size (): number {
    return this.entries.length - this.start
  }

  get oldest (): Entry | undefined {
    return this.entries[this.start]
  }

  push (entry: Entry): void {
    this.entries.push(entry)
    this.last = { sequence: entry.sequence, offset: entry.offset }
    this.cached = undefined
  }

  /** Drops the oldest message; the state remembers it. */
  shift (): Entry | undefined {
    const entry = this.entries[this.start]
    if (entry === undefined) return undefined
    if (this.reduce !== undefined) {
      this.base = this.fold(this.base, entry)
      if (this.current !== undefined && this.current.sequence <= this.base.sequence) this.current = undefined
    }
    // The slot would keep the message alive until the next compaction. (`delete` would make the array a slow one.)
    this.entries[this.start++] = undefined
    if (this.start > SLACK && this.start * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.start)
      this.start = 0
    }
    return entry
  }

  /** Forgets all beyond an offset, of which it must still hold everything. Returns what was forgotten. */
  loseBeyond (offset: number): Entry[] {
    const lost: Entry[] = []
    while (this.size > 0 && this.entries.at(-1)!.offset > offset) lost.push(this.entries.pop()!)
    const oldest = lost.at(-1)
    if (oldest === undefined) return lost
    this.cached = undefined
    this.last = { sequence: oldest.sequence - 1, offset: oldest.previous }
    if (this.current !== undefined && this.current.sequence > this.last.sequence) this.current = undefined
    return lost
  }

  /** At most `limit` messages after the place that `isAfter` finds; it must be false, then true. */
  after (isAfter: (entry: Entry) => boolean, limit: number): Entry[] {
    let low = this.start
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isAfter(this.entries[middle]!)) high = middle
      else low = middle + 1
    }
    return this.entries.slice(low, low + limit) as Entry[]
  }

  /** Undefined where the channel has no state. */
  state (): StateText | undefined {
    if (this.reduce === undefined) return undefined
    this.cached ??= this.stateNow()
    return this.cached
  }

  private stateNow (): StateText | undefined {
    const newest = this.size > 0 ? this.entries.at(-1)! : undefined
    if (this.reduce === 'last' && newest !== undefined) {
      return { payload: newest.payload, sequence: newest.sequence, timestamp: newest.timestamp }
    }
    const state = newest === undefined ? this.base : this.foldHeld()
    if (state === undefined) return undefined
    const payload = this.reduce === 'last' ? state.value as string : JSON.stringify(state.value)
    return { payload, sequence: state.sequence, timestamp: state.timestamp }
  }

  /** The state after all messages held, of which there must be one. */
  private foldHeld (): State | undefined {
    // A fold may change the state that it is given: the base stays as it is.
    let state = this.current ?? (this.base && { ...this.base, value: structuredClone(this.base.value) })
    // Should a fold throw halfway, the next one starts from the base again.
    this.current = undefined
    const folded = state === undefined ? 0 : state.sequence - this.oldest!.sequence + 1
    for (let i = this.start + folded; i < this.entries.length; i++) state = this.fold(state, this.entries[i]!)
    this.current = state
    return state
  }

  private fold (state: State | undefined, entry: Entry): State {
    const value = typeof this.reduce === 'function'
      ? this.reduce(state?.value as never, JSON.parse(entry.payload) as never, entry.replaces) as unknown
      : entry.payload
    return { value, sequence: entry.sequence, timestamp: entry.timestamp }
  }
}
