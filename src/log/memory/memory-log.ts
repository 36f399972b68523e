import { randomUUID } from 'node:crypto'
import {
  acknowledgements, acknowledgementTopic, channelOfKey, type Channels, parseTopicKey, ProtocolError, topicKey
} from '@tickwire/protocol'
import {
  type AppendItem, type AppendOptions, type AppendResult, type Entry, type EpochStart, type Fence,
  IDEMPOTENCY_SECONDS, type KeptOrigin, type KeyedMessage, type Log, type LogClock, NAMES_PER_TOPIC,
  type Page, PINNED_SHARE, randomEpoch, type ReadFrom, type Retention, type ShardHead, type Snapshot,
  StaleEpoch, StaleFence, type TailBatch, type Tailing, type TopicPosition
} from '../log.js'
import { acknowledgedUpTo } from '../acknowledged.js'
import { isNewer, checkOrigins } from '../origin-order.js'
import { shardOf } from '../shard-of.js'
import { AnsweredKeys } from './answered-keys.js'
import { DropOrder, ENTRY_OVERHEAD_BYTES } from './drop-order.js'
import { TopicHistory } from './topic-history.js'

/** How often the log drops messages that have grown too old if nobody reads or appends. */
const EXPIRY_MS = 1000
/** Epochs that a shard remembers. A position of an older epoch counts as lost. */
const MAX_EPOCHS = 32

export interface MemoryLogOptions {
  readonly channels: Channels
  readonly shards?: number
  readonly retention: Retention
  /** Most topics that may have messages. */
  readonly maxTopics: number
  /**
   * Most topics that may ever have had a message in an epoch: the log keeps their last sequences. Default:
   * {@link NAMES_PER_TOPIC} for each of `maxTopics`.
   */
  readonly maxTopicNames?: number
  readonly clock?: LogClock
}

interface Shard {
  offset: number
  /** The highest offset that retention has dropped. */
  dropped: number
  epochs: EpochStart[]
}

interface Listener {
  readonly shard: number
  readonly onBatch: (batch: TailBatch) => void
}

const systemClock: LogClock = { now: Date.now, randomEpoch }

/**
 * The log of a single process: the default, and the simplest form of the contract. It is lost when the
 * process ends.
 */
export class MemoryLog implements Log {
  readonly shards: number
  private readonly clock: LogClock
  private readonly states: Shard[]
  private readonly histories = new Map<string, TopicHistory>()
  /** Topics that have nothing left but their last position. */
  private readonly dormant = new Map<string, TopicPosition>()
  /** Number of topics that have messages. */
  private retained = 0
  private readonly dropOrder: DropOrder
  private readonly answers = new AnsweredKeys()
  /** By source, the fence that was raised last. */
  private readonly fences = new Map<string, Fence>()
  private readonly listeners = new Set<Listener>()
  /** Batches that wait for their delivery, each with those who listened when it was appended. */
  private readonly undelivered: Array<{
    readonly batch: TailBatch
    readonly listeners: readonly Listener[]
  }> = []

  private isDelivering = false
  private readonly expiry: NodeJS.Timeout
  private bytes = 0
  private time = 0
  private closed = false

  constructor (private readonly options: MemoryLogOptions) {
    this.shards = options.shards ?? 1
    this.clock = options.clock ?? systemClock
    const epochs = (): EpochStart[] => [{ epoch: this.clock.randomEpoch(), start: 1 }]
    this.states = Array.from({ length: this.shards }, () => ({ offset: 0, dropped: 0, epochs: epochs() }))
    this.dropOrder = new DropOrder({
      maxPinnedBytes: options.retention.bytes * PINNED_SHARE,
      isOpen: topic => this.isOpen(topic)
    })
    this.expiry = setInterval(() => { this.expire() }, EXPIRY_MS).unref()
  }

  shardOf (topic: string): number {
    return shardOf(topic, this.shards)
  }

  async append (
    items: readonly AppendItem[],
    { fence, lineage = [], epochs }: AppendOptions = {}
  ): Promise<readonly AppendResult[]> {
    if (this.closed) throw new ProtocolError('log_unavailable')
    checkOrigins(items, lineage)
    if (fence !== undefined && this.fences.get(fence.source)?.id !== fence.id) throw new StaleFence(fence)
    if (epochs !== undefined) {
      const shards = items.map(({ topic }) => this.shardOf(topic))
      const moved = shards.find(shard => epochs[shard] !== this.epoch(shard))
      if (moved !== undefined) throw new StaleEpoch(moved)
    }
    const timestamp = this.now()
    this.answers.expire(timestamp)
    const appended = new Map<number, Entry[]>()
    const results = items.map(item => this.appendOne(item, timestamp, lineage, appended))
    this.expire()
    this.deliver([...appended].map(([shard, entries]) => {
      return { shard, epoch: this.states[shard]!.epochs.at(-1)!, entries }
    }))
    return results
  }

  async raise (source: string): Promise<Fence> {
    if (this.closed) throw new ProtocolError('log_unavailable')
    const token = Math.max(this.now(), (this.fences.get(source)?.token ?? 0) + 1)
    const fence = { source, token, id: randomUUID() }
    this.fences.set(source, fence)
    return fence
  }

  async origins (processor: string, shard?: number): Promise<ReadonlyMap<string, KeptOrigin>> {
    const origins = new Map<string, KeptOrigin>()
    for (const [topic, history] of this.histories) {
      if (shard !== undefined && history.shard !== shard) continue
      const origin = history.newestOrigin(processor)
      if (origin !== undefined) origins.set(topic, origin)
    }
    return origins
  }

  async read (topic: string, from: ReadFrom, limit: number): Promise<Page> {
    this.expire()
    const history = this.histories.get(topic)
    return {
      epoch: this.epoch(this.shardOf(topic)),
      entries: history?.after(from, limit) ?? [],
      last: history?.last ?? this.dormant.get(topic),
      first: history === undefined || history.size === 0 ? undefined : history.oldestSequence
    }
  }

  async find (topic: string, idempotencyKey: string): Promise<KeyedMessage | undefined> {
    this.expire()
    const found = this.answers.get(topic, idempotencyKey, this.keySeconds(topic))
    if (found === undefined) return undefined
    const { sequence, offset } = found
    const [next] = this.histories.get(topic)?.after({ sequence: sequence - 1 }, 1) ?? []
    return { sequence, offset, entry: next?.sequence === sequence ? next : undefined }
  }

  async tail (shard: number, onBatch: Listener['onBatch']): Promise<Tailing> {
    const listener: Listener = { shard, onBatch }
    this.listeners.add(listener)
    return { head: this.headOf(shard), end: () => { this.listeners.delete(listener) } }
  }

  /** Never calls back: this log can be reached as long as the process runs. */
  watch (): () => void {
    return () => {}
  }

  /** Returns none: the one node that has this log has passed all of it on itself. */
  async recent (): Promise<readonly Entry[]> {
    return []
  }

  async head (shards: Iterable<number> = this.states.keys()): Promise<readonly ShardHead[]> {
    return Array.from(shards, shard => this.headOf(shard))
  }

  async topics (shard?: number): Promise<ReadonlyMap<string, TopicPosition>> {
    const topics = new Map([...this.histories].map(([topic, { last }]) => [topic, last]))
    for (const [topic, last] of this.dormant) topics.set(topic, last)
    if (shard === undefined) return topics
    return new Map([...topics].filter(([topic]) => this.shardOf(topic) === shard))
  }

  async snapshot (topic: string): Promise<Snapshot | undefined> {
    const state = this.histories.get(topic)?.state()
    if (state === undefined) return undefined
    const shard = this.shardOf(topic)
    return { topic, epoch: this.epoch(shard), ...state, asOf: this.states[shard]!.offset }
  }

  async close (): Promise<void> {
    this.closed = true
    clearInterval(this.expiry)
    this.listeners.clear()
  }

  /**
   * Does what a restart without the last writes does to a log: everything after an offset of each shard is
   * lost, and a new epoch begins there. It shows the rules of epochs without a server that loses its disk.
   * @param offsets by shard, the last offset that is left. If retention has dropped messages beyond it, the
   * last of those is left instead: dropped messages are folded together and cannot be lost one by one.
   */
  restart (offsets: readonly number[]): void {
    // The log gives offsets out again: the oldest message of a topic may then be older than its heap entry
    // says.
    this.dropOrder.clear()
    const keep = this.states.map(({ offset, dropped }, shard) => {
      return Math.min(offset, Math.max(dropped, offsets[shard] ?? offset))
    })
    for (const [topic, history] of this.histories) {
      for (const bytes of history.loseBeyond(keep[history.shard]!)) this.bytes -= bytes + ENTRY_OVERHEAD_BYTES
      if (history.lastSequence === 0) this.histories.delete(topic)
    }
    this.retained = [...this.histories.values()].filter(({ size }) => size > 0).length
    for (const history of this.histories.values()) if (history.size > 0) this.dropOrder.add(history)
    this.answers.loseBeyond(keep)
    for (const [shard, state] of this.states.entries()) {
      state.offset = keep[shard]!
      const epoch = { epoch: this.clock.randomEpoch(), start: state.offset + 1 }
      state.epochs = [...state.epochs, epoch].slice(-MAX_EPOCHS)
    }
    this.deliver(this.states.map(({ epochs }, shard) => ({ shard, epoch: epochs.at(-1)!, entries: [] })))
  }

  private appendOne (
    item: AppendItem,
    timestamp: number,
    lineage: readonly number[],
    appended: Map<number, Entry[]>
  ): AppendResult {
    const { payload, replaces = false, idempotencyKey, origin } = item
    const keySeconds = idempotencyKey === undefined ? 0 : this.keySeconds(item.topic)
    const known = idempotencyKey === undefined
      ? undefined
      : this.answers.get(item.topic, idempotencyKey, keySeconds)
    if (known !== undefined) return { ...known, repeated: true }
    const history = this.historyFor(item.topic)
    if (history === undefined) return { error: 'overloaded' }
    const kept = origin === undefined ? undefined : history.newestOrigin(origin.processor)
    if (origin !== undefined && kept !== undefined && !isNewer(origin, kept, lineage)) {
      return { sequence: kept.sequence, offset: kept.outputOffset, shard: history.shard, repeated: true }
    }
    const { topic, shard, lastSequence, lastOffset: previous } = history
    const offset = ++this.states[shard]!.offset
    const sequence = lastSequence + 1
    const entry: Entry = { topic, shard, offset, sequence, previous, timestamp, payload, replaces }
    if (history.size === 0) this.retained++
    this.count(history, history.push(entry) + ENTRY_OVERHEAD_BYTES)
    if (origin !== undefined) history.noteOrigin(origin)
    this.dropOrder.add(history)
    if (history.size > history.maxMessages) this.dropOldest(history)
    if (history.channel === acknowledgements) this.release(topic)
    const entries = appended.get(shard)
    if (entries === undefined) appended.set(shard, [entry])
    else entries.push(entry)
    const result = { sequence, offset, shard }
    if (idempotencyKey !== undefined) this.answers.add(topic, idempotencyKey, keySeconds, result, timestamp)
    return result
  }

  /**
   * Returns the history that a topic's next message goes to; undefined if one more topic would be too many.
   */
  private historyFor (topic: string): TopicHistory | undefined {
    const known = this.histories.get(topic)
    if (known !== undefined && known.size > 0) return known
    // Expired messages make room.
    if (this.retained >= this.options.maxTopics) this.expire()
    if (this.retained >= this.options.maxTopics) return undefined
    return this.histories.get(topic) ?? this.beginHistory(topic)
  }

  /**
   * Begins the history of a topic that has none: a new topic, or one whose messages were all dropped. The log
   * never forgets a last sequence, so it bounds their number.
   */
  private beginHistory (topic: string): TopicHistory | undefined {
    const { maxTopics, maxTopicNames = NAMES_PER_TOPIC * maxTopics } = this.options
    const last = this.dormant.get(topic)
    if (last === undefined && this.histories.size + this.dormant.size >= maxTopicNames) return undefined
    const channel = this.options.channels.get(parseTopicKey(topic).channel)
    const { messages, seconds } = { ...this.options.retention, ...channel?.retention }
    const history = new TopicHistory(topic, this.shardOf(topic), channel ?? {}, messages, seconds * 1000)
    if (last !== undefined) history.continueFrom(last)
    this.dormant.delete(topic)
    this.histories.set(topic, history)
    return history
  }

  /** For how many seconds the log remembers the keys of a topic. */
  private keySeconds (topic: string): number {
    return this.options.channels.get(channelOfKey(topic))?.idempotencySeconds ?? IDEMPOTENCY_SECONDS
  }

  /** Lets retention drop what a topic's messages say is acknowledged. @param topic of an acknowledgement */
  private release (topic: string): void {
    const { symbol: channel, user } = parseTopicKey(topic)
    const history = this.histories.get(topicKey({ channel: channel!, user }))
    if (history !== undefined) this.dropOrder.release(history)
  }

  /** Whether a topic's oldest message, of which there must be one, waits for its acknowledgement. */
  private isOpen ({ topic, channel, oldestOffset, shard }: TopicHistory): boolean {
    if (channel.acknowledged !== true) return false
    const kept = this.histories.get(acknowledgementTopic(topic))?.state()
    return oldestOffset > acknowledgedUpTo(kept?.payload, this.headOf(shard))
  }

  /** Counts the bytes of a message that was added; less than 0 for one that was dropped. */
  private count (history: TopicHistory, bytes: number): void {
    this.bytes += bytes
    this.dropOrder.note(history, bytes)
  }

  private dropOldest (history: TopicHistory): void {
    const shard = this.states[history.shard]!
    shard.dropped = Math.max(shard.dropped, history.oldestOffset)
    this.count(history, -(history.shift() + ENTRY_OVERHEAD_BYTES))
    if (history.size > 0) return
    this.retained--
    if (!history.isEmpty) return
    this.histories.delete(history.topic)
    this.dormant.set(history.topic, history.last)
  }

  /** Drops messages that are too old, then the oldest of all while there are too many bytes. */
  private expire (): void {
    const now = this.now()
    this.answers.expire(now)
    let topic
    while ((topic = this.dropOrder.expired(now)) !== undefined) this.dropOldest(topic)
    while (this.bytes > this.options.retention.bytes) {
      const oldest = this.dropOrder.oldest()
      if (oldest === undefined) return
      this.dropOldest(oldest)
    }
  }

  /**
   * A listener may append, or end another listener. The log delivers what follows from that only after all
   * listeners have heard what came before, so that all hear the same order.
   */
  private deliver (batches: readonly TailBatch[]): void {
    const listeners = [...this.listeners]
    for (const batch of batches) this.undelivered.push({ batch, listeners })
    if (this.isDelivering) return
    this.isDelivering = true
    for (let next = this.undelivered.shift(); next !== undefined; next = this.undelivered.shift()) {
      for (const listener of next.listeners) {
        if (this.listeners.has(listener) && listener.shard === next.batch.shard) notify(listener, next.batch)
      }
    }
    this.isDelivering = false
  }

  private headOf (shard: number): ShardHead {
    const { offset, epochs } = this.states[shard]!
    return { epoch: this.epoch(shard), offset, epochs: [...epochs] }
  }

  private epoch (shard: number): number {
    return this.states[shard]!.epochs.at(-1)!.epoch
  }

  /** The log's time never goes back, whatever the clock does. */
  private now (): number {
    this.time = Math.max(this.time, this.clock.now())
    return this.time
  }
}

function notify (listener: Listener, batch: TailBatch): void {
  try {
    listener.onBatch(batch)
  } catch (error) {
    // A listener that fails must neither keep the batch from the others, nor undo the append, nor end the
    // process and the log with it.
    process.emitWarning(error instanceof Error ? error : String(error))
  }
}
