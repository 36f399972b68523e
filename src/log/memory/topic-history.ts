import { type ChannelDefinition, isRemoval } from '@tickwire/protocol'
import { EntryQueue, type StoredMessage } from '../entry-queue.js'
import type { Entry, KeptOrigin, Origin, ReadFrom, TopicPosition } from '../log.js'
import { OriginTrails } from './origin-trails.js'

/**
 * Once this many bytes of payloads are not folded, `push` folds them: so no read of a state has to fold more.
 */
const MOST_UNFOLDED_BYTES = 256 * 1024

interface State {
  /** Unknown if there is a {@link failure}. */
  readonly value: unknown
  /** What the channel threw when it folded a message. The state is unknown until a message replaces it. */
  readonly failure?: { readonly error: unknown }
  readonly sequence: number
  readonly timestamp: number
}

/** A state that was read from a file. Most are never asked for: a state is parsed when it is folded first. */
class StoredState implements State {
  private parsed: { readonly value: unknown } | undefined

  constructor (
    private readonly text: string, private readonly isText: boolean,
    readonly sequence: number, readonly timestamp: number
  ) {}

  get value (): unknown {
    this.parsed ??= { value: this.isText ? this.text : JSON.parse(this.text) }
    return this.parsed.value
  }
}

/** A topic's state as JSON text. */
export interface StateText {
  readonly payload: string
  readonly sequence: number
  readonly timestamp: number
}

/** Why a topic's state is unknown. */
export interface StateFailure {
  readonly failure: string
  readonly timestamp: number
}

/**
 * What the log has of one topic: its last messages, and its state. The history folds the state only when
 * somebody reads it, when many bytes wait to be folded, or when a message is dropped. It keeps the state of
 * the dropped messages apart, as the base: if the newest messages are lost, it can fold a state that never
 * had them.
 */
export class TopicHistory {
  lastSequence = 0
  lastOffset = 0
  /** The place of its entry in the one `OldestFirst` that has it; -1 if none has. */
  heapIndex = -1
  /** Whether all of its messages are open. `DropOrder` sets it. */
  isPinned = false
  private readonly entries: EntryQueue
  /** The state after the last dropped message; or after a later one, if it was read from a file. */
  private base: State | undefined
  /**
   * The base and the retained messages, as far as they were folded last: folding 10,000 book updates anew
   * takes 10 ms. Never older than the base, and never the same object.
   */
  private current: State | undefined
  /**
   * Bytes of the retained payloads; and of those after {@link current}, or after the base if there is no
   * current.
   */
  private retainedBytes = 0
  private unfoldedBytes = 0
  private cached: StateText | undefined
  /** Origins of what processors published here. Most topics have none. */
  private origins: OriginTrails | undefined

  constructor (
    /** The topic's key, as the one string that all its entries share. */
    readonly topic: string,
    readonly shard: number,
    /** Nothing of it is set for a channel that does not exist. */
    readonly channel: Partial<ChannelDefinition>,
    /** Most messages that are retained. */
    readonly maxMessages: number,
    /** How long a message is retained, in milliseconds. */
    readonly maxAgeMs: number
  ) {
    this.entries = new EntryQueue(shard)
  }

  get last (): TopicPosition {
    return { sequence: this.lastSequence, offset: this.lastOffset }
  }

  /** Whether nothing is left but the last position: no message, no state, and no origin of a processor. */
  get isEmpty (): boolean {
    const { base, current, origins } = this
    return this.size === 0 && base === undefined && current === undefined && origins === undefined
  }

  /** Continues a topic that had nothing left but its last position. */
  continueFrom ({ sequence, offset }: TopicPosition): void {
    this.lastSequence = sequence
    this.lastOffset = offset
  }

  get size (): number {
    return this.entries.size
  }

  /** Bytes of the payloads of all messages. */
  get payloadBytes (): number {
    return this.retainedBytes
  }

  /** Needs a message, as do the two getters below. */
  get oldestSequence (): number {
    return this.entries.firstSequence
  }

  get oldestOffset (): number {
    return this.entries.firstOffset
  }

  get oldestTimestamp (): number {
    return this.entries.firstTimestamp
  }

  /** @returns the size of the entry's payload in bytes */
  push (entry: Entry): number {
    this.lastSequence = entry.sequence
    this.lastOffset = entry.offset
    this.cached = undefined
    const bytes = this.entries.push(entry)
    this.retainedBytes += bytes
    this.unfoldedBytes += bytes
    if (this.unfoldedBytes > MOST_UNFOLDED_BYTES && typeof this.channel.reduce === 'function') {
      this.foldRetained()
    }
    return bytes
  }

  /**
   * Adds a message from a file. It is folded only when somebody reads the state: the file has a newer state
   * of most topics.
   */
  pushStored (message: StoredMessage): void {
    const bytes = message.end - message.start
    this.entries.pushStored(message, this.topic)
    this.lastSequence = message.sequence
    this.lastOffset = message.offset
    this.cached = undefined
    this.retainedBytes += bytes
    this.unfoldedBytes += bytes
  }

  /**
   * Takes the state after the newest message from a file.
   * @param stored its text, or why it is unknown; undefined if the topic has none
   */
  restoreState (stored: StateText | StateFailure | undefined): void {
    this.cached = this.current = undefined
    this.unfoldedBytes = 0
    if (stored === undefined) this.base = undefined
    else if ('failure' in stored) {
      const failure = { error: new Error(stored.failure) }
      this.base = { value: undefined, failure, sequence: this.lastSequence, timestamp: stored.timestamp }
    } else {
      const isText = this.channel.reduce === 'last'
      this.base = new StoredState(stored.payload, isText, stored.sequence, stored.timestamp)
    }
  }

  /** Forgets all messages, the state and the origins. @returns the bytes of the payloads */
  forget (): number {
    const bytes = this.retainedBytes
    this.entries.clear()
    this.retainedBytes = this.unfoldedBytes = 0
    this.cached = this.current = this.base = this.origins = undefined
    return bytes
  }

  /** Returns how many of the messages have an offset up to this one. */
  countUpTo (offset: number): number {
    return this.entries.countUpTo(offset)
  }

  /** The newest origin of each processor. */
  get newestOrigins (): readonly KeptOrigin[] {
    return this.origins?.allNewest ?? []
  }

  /** Takes an origin from a file, unless the topic has it already. */
  restoreOrigin (origin: KeptOrigin): void {
    this.origins ??= new OriginTrails()
    const newest = this.origins.newest(origin.processor)?.outputOffset ?? 0
    if (newest < origin.outputOffset) this.origins.add(origin)
  }

  newestOrigin (processor: string): KeptOrigin | undefined {
    return this.origins?.newest(processor)
  }

  /** Notes the origin of the newest message. */
  noteOrigin (origin: Origin): void {
    this.origins ??= new OriginTrails()
    this.origins.add({ ...origin, sequence: this.lastSequence, outputOffset: this.lastOffset })
  }

  /**
   * Drops the oldest message, of which there must be one, and folds it into the base.
   * @returns its payload's bytes
   */
  shift (): number {
    const droppedUpTo = this.entries.firstSequence
    const isInBase = this.base !== undefined && this.base.sequence >= droppedUpTo
    const isFolded = isInBase || this.current !== undefined
    if (this.channel.reduce !== undefined && !isInBase) {
      this.base = this.fold(this.base, this.entries.first)
      if (this.current !== undefined && this.current.sequence <= droppedUpTo) this.current = undefined
    }
    this.origins?.settle(this.entries.firstOffset)
    const bytes = this.entries.shift()
    this.retainedBytes -= bytes
    if (!isFolded) this.unfoldedBytes -= bytes
    return bytes
  }

  /**
   * Forgets all messages after an offset, all of which must still be retained.
   * @returns the bytes of each payload
   */
  loseBeyond (offset: number): number[] {
    const lost: number[] = []
    while (this.size > 0 && this.entries.lastOffset > offset) {
      const { sequence, previous } = this.entries.last
      this.lastSequence = sequence - 1
      this.lastOffset = previous
      const bytes = this.entries.pop()
      this.retainedBytes -= bytes
      this.unfoldedBytes -= bytes
      lost.push(bytes)
    }
    if (lost.length === 0) return lost
    this.origins?.loseBeyond(offset)
    this.cached = undefined
    if (this.current !== undefined && this.current.sequence > this.lastSequence) {
      this.current = undefined
      this.unfoldedBytes = this.retainedBytes
    }
    return lost
  }

  /** Returns at most `limit` messages. */
  after (from: ReadFrom, limit: number): Entry[] {
    const entries: Entry[] = []
    const { origins } = this
    if (limit <= 0) return entries
    this.entries.after(from, entry => {
      entries.push(origins === undefined ? entry : origins.withOrigin(entry))
      return entries.length < limit
    })
    return entries
  }

  /**
   * Returns undefined if the channel has no state.
   * @throws while a failure keeps the state unknown, what the channel threw
   */
  state (): StateText | undefined {
    if (this.channel.reduce === undefined) return undefined
    this.cached ??= this.stateNow()
    return this.cached
  }

  private stateNow (): StateText | undefined {
    const newest = this.size > 0 ? this.entries.last : undefined
    if (this.channel.reduce === 'last' && newest !== undefined) {
      if (isRemoval(this.channel, newest.payload)) return undefined
      return { payload: newest.payload, sequence: newest.sequence, timestamp: newest.timestamp }
    }
    const state = newest === undefined ? this.base : this.foldRetained()
    if (state === undefined) return undefined
    if (state.failure !== undefined) throw state.failure.error
    const payload = this.channel.reduce === 'last' ? state.value as string : JSON.stringify(state.value)
    return { payload, sequence: state.sequence, timestamp: state.timestamp }
  }

  /** Returns the state after all retained messages, of which there must be one. */
  private foldRetained (): State | undefined {
    // A fold may change the state that it gets, and the base must stay as it is.
    let state = this.current ?? (this.base && copyOf(this.base))
    this.entries.after({ sequence: state?.sequence ?? 0 }, entry => {
      state = this.fold(state, entry)
      return true
    })
    this.current = state
    this.unfoldedBytes = 0
    return state
  }

  /**
   * Never throws, so that appending and dropping go on. After a failure the state waits for a message that
   * replaces it.
   */
  private fold (state: State | undefined, entry: Entry): State | undefined {
    const { sequence, timestamp, payload, replaces } = entry
    if (isRemoval(this.channel, payload)) return undefined
    if (typeof this.channel.reduce !== 'function') return { value: payload, sequence, timestamp }
    if (state?.failure !== undefined && !replaces) return { ...state, sequence, timestamp }
    try {
      const before = state?.failure === undefined ? state?.value : undefined
      const value = this.channel.reduce(before as never, JSON.parse(payload) as never, replaces) as unknown
      return { value, sequence, timestamp }
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
