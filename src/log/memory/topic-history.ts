import type { ChannelDefinition } from '@tickwire/protocol'
import { EntryQueue } from '../entry-queue.js'
import type { Entry, KeptOrigin, Origin, ReadFrom, TopicPosition } from '../log.js'
import { OriginTrails } from './origin-trails.js'

/** Bytes of payloads that are folded at a time: who asks for a state waits for no more, and nobody else for longer. */
const MOST_UNFOLDED_BYTES = 256 * 1024

interface State {
  /** Not known where {@link failure} is there. */
  readonly value: unknown
  /** What the channel threw when it folded a message: until one replaces the state, it is not known. */
  readonly failure?: { readonly error: unknown }
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
 * for, when there is much to fold, or when a message that it needs is about to be dropped; what was dropped is kept apart, as the base, so
 * that a loss of the newest messages leaves a state that never saw them.
 */
export class TopicHistory {
  lastSequence = 0
  lastOffset = 0
  /** Whether `OldestFirst` has a place for it. */
  placed = false
  private readonly entries: EntryQueue
  /** The state that the dropped messages left behind. */
  private base: State | undefined
  /**
   * The base and the messages held, as far as they were folded when a snapshot was last asked for: folding 10,000
   * book updates afresh takes 10 ms. Never behind the base, and never the same object.
   */
  private current: State | undefined
  /** Bytes of the payloads held, and of those that come behind {@link current}, or behind the base where there is none. */
  private heldBytes = 0
  private unfoldedBytes = 0
  private cached: StateText | undefined
  /** Of what processors published here; most topics have none. */
  private origins: OriginTrails | undefined

  constructor (
    /** The one text of its key that all its entries share. */
    readonly topic: string,
    readonly shard: number,
    private readonly reduce: ChannelDefinition['reduce'],
    /** Most messages held. */
    readonly maxMessages: number,
    /** Longest that a message is held, in milliseconds. */
    readonly maxAgeMs: number
  ) {
    this.entries = new EntryQueue(shard)
  }

  get last (): TopicPosition {
    return { sequence: this.lastSequence, offset: this.lastOffset }
  }

  /** Whether only its last position is left to know: neither messages nor a state, nor what a processor has published. */
  get isEmpty (): boolean {
    return this.size === 0 && this.base === undefined && this.current === undefined && this.origins === undefined
  }

  /** Goes on where a topic of this name ended, of which nothing else is left. */
  goOnFrom ({ sequence, offset }: TopicPosition): void {
    this.lastSequence = sequence
    this.lastOffset = offset
  }

  get size (): number {
    return this.entries.size
  }

  /** Of the oldest message held, of which there must be one; so the two that follow. */
  get oldestSequence (): number {
    return this.entries.firstSequence
  }

  get oldestOffset (): number {
    return this.entries.firstOffset
  }

  get oldestTimestamp (): number {
    return this.entries.firstTimestamp
  }

  /** @returns bytes of its payload */
  push (entry: Entry): number {
    this.lastSequence = entry.sequence
    this.lastOffset = entry.offset
    this.cached = undefined
    const bytes = this.entries.push(entry)
    this.heldBytes += bytes
    this.unfoldedBytes += bytes
    if (this.unfoldedBytes > MOST_UNFOLDED_BYTES && typeof this.reduce === 'function') this.foldHeld()
    return bytes
  }

  newestOrigin (processor: string): KeptOrigin | undefined {
    return this.origins?.newest(processor)
  }

  /** Notes the origin of the last message. */
  noteOrigin (origin: Origin): void {
    this.origins ??= new OriginTrails()
    this.origins.add({ ...origin, sequence: this.lastSequence, outputOffset: this.lastOffset })
  }

  /** Drops the oldest message, of which there must be one; the state remembers it. @returns bytes of its payload */
  shift (): number {
    const isFolded = this.current !== undefined
    if (this.reduce !== undefined) {
      this.base = this.fold(this.base, this.entries.first)
      if (this.current !== undefined && this.current.sequence <= this.base.sequence) this.current = undefined
    }
    this.origins?.settle(this.entries.firstOffset)
    const bytes = this.entries.shift()
    this.heldBytes -= bytes
    if (!isFolded) this.unfoldedBytes -= bytes
    return bytes
  }

  /** Forgets all beyond an offset, of which it must still hold everything. @returns bytes of the payload of each */
  loseBeyond (offset: number): number[] {
    const lost: number[] = []
    while (this.size > 0 && this.entries.lastOffset > offset) {
      const { sequence, previous } = this.entries.last
      this.lastSequence = sequence - 1
      this.lastOffset = previous
      const bytes = this.entries.pop()
      this.heldBytes -= bytes
      this.unfoldedBytes -= bytes
      lost.push(bytes)
    }
    if (lost.length === 0) return lost
    this.origins?.loseBeyond(offset)
    this.cached = undefined
    if (this.current !== undefined && this.current.sequence > this.lastSequence) {
      this.current = undefined
      this.unfoldedBytes = this.heldBytes
    }
    return lost
  }

  /** At most `limit` messages. */
  after (from: ReadFrom, limit: number): Entry[] {
    const entries: Entry[] = []
    const { origins } = this
    if (limit > 0) this.entries.after(from, entry => entries.push(origins === undefined ? entry : origins.withOrigin(entry)) < limit)
    return entries
  }

  /** Undefined where the channel has no state. @throws what the channel threw, while the state is not known because of that */
  state (): StateText | undefined {
    if (this.reduce === undefined) return undefined
    this.cached ??= this.stateNow()
    return this.cached
  }

  private stateNow (): StateText | undefined {
    const newest = this.size > 0 ? this.entries.last : undefined
    if (this.reduce === 'last' && newest !== undefined) {
      return { payload: newest.payload, sequence: newest.sequence, timestamp: newest.timestamp }
    }
    const state = newest === undefined ? this.base : this.foldHeld()
    if (state === undefined) return undefined
    if (state.failure !== undefined) throw state.failure.error
    const payload = this.reduce === 'last' ? state.value as string : JSON.stringify(state.value)
    return { payload, sequence: state.sequence, timestamp: state.timestamp }
  }

  /** The state after all messages held, of which there must be one. */
  private foldHeld (): State | undefined {
    // A fold may change the state that it is given: the base stays as it is.
    let state = this.current ?? (this.base && copyOf(this.base))
    this.entries.after({ sequence: state?.sequence ?? 0 }, entry => {
      state = this.fold(state, entry)
      return true
    })
    this.current = state
    this.unfoldedBytes = 0
    return state
  }

  /** Appending and dropping go on whatever the channel throws: the state waits for a message that replaces it. */
  private fold (state: State | undefined, entry: Entry): State {
    const { sequence, timestamp, payload, replaces } = entry
    if (typeof this.reduce !== 'function') return { value: payload, sequence, timestamp }
    if (state?.failure !== undefined && !replaces) return { ...state, sequence, timestamp }
    try {
      const before = state?.failure === undefined ? state?.value : undefined
      return { value: this.reduce(before as never, JSON.parse(payload) as never, replaces) as unknown, sequence, timestamp }
    } catch (error) {
      return { value: undefined, failure: { error }, sequence, timestamp }
    }
  }
}

function copyOf (state: State): State {
  try {
    return { ...state, value: structuredClone(state.value) }
  } catch (error) {
    return { ...state, value: undefined, failure: { error } }
  }
}
