import { randomUUID } from 'node:crypto'
import { type Channels, parseTopicKey, ProtocolError } from '@tickwire/protocol'
import {
  type AppendItem, type AppendOptions, type AppendResult, type Entry, type EpochStart, type Fence, type KeptOrigin, type Log, type LogClock, NAMES_PER_TOPIC, type Page, randomEpoch, type ReadFrom, type Retention, type ShardHead,
  type Snapshot, StaleEpoch, StaleFence, type TailBatch, type Tailing, type TopicPosition
} from '../log.js'
import { isNewer, checkOrigins } from '../origin-order.js'
import { shardOf } from '../shard-of.js'
import { AnsweredKeys } from './answered-keys.js'
import { isOlder, OldestFirst, type TopicAge } from './oldest-first.js'
import { TopicHistory } from './topic-history.js'

/** What an entry costs beside its payload. Measured at 79 to 95 bytes where topics hold a thousand, 170 where they hold sixty. */
export const ENTRY_OVERHEAD_BYTES = 110
/** How often messages that have grown too old are looked for when nothing else happens. */
const EXPIRY_MS = 1000
/** Epochs that are remembered; a position of an older one counts as lost. */
const MAX_EPOCHS = 32

export interface MemoryLogOptions {
  readonly channels: Channels
  readonly shards?: number
  readonly retention: Retention
  /** Most topics with messages. */
  readonly maxTopics: number
  /** Most topics that ever had one in an epoch: their last sequences are kept. Default: {@link NAMES_PER_TOPIC} for each of `maxTopics`. */
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

/** The log of a single process: the default, and the plainest form of the contract. It ends with the process. */
export class MemoryLog implements Log {
  readonly shards: number
  private readonly clock: LogClock
  private readonly states: Shard[]
  private readonly histories = new Map<string, TopicHistory>()
  /** Topics of which only the last position is left. */
  private readonly dormant = new Map<string, TopicPosition>()
  /** Topics with messages. */
  private retained = 0
  /** By age bound, in milliseconds. */
  private readonly ages = new Map<number, OldestFirst>()
  private readonly answers = new AnsweredKeys()
  /** By source, the last that was raised. */
  private readonly fences = new Map<string, Fence>()
  private readonly listeners = new Set<Listener>()
  /** Batches that are still to be told, each to those who listened when it came to be. */
  private readonly untold: Array<{ readonly batch: TailBatch, readonly listeners: readonly Listener[] }> = []
  private telling = false
  private readonly expiry: NodeJS.Timeout
  private bytes = 0
  private time = 0
  private closed = false

  constructor (private readonly options: MemoryLogOptions) {
    this.shards = options.shards ?? 1
    this.clock = options.clock ?? systemClock
    this.states = Array.from({ length: this.shards }, () => ({ offset: 0, dropped: 0, epochs: [{ epoch: this.clock.randomEpoch(), start: 1 }] }))
    this.expiry = setInterval(() => { this.expire() }, EXPIRY_MS).unref()
  }

  shardOf (topic: string): number {
    return shardOf(topic, this.shards)
  }

  async append (items: readonly AppendItem[], { fence, lineage = [], epochs }: AppendOptions = {}): Promise<readonly AppendResult[]> {
    if (this.closed) throw new ProtocolError('log_unavailable')
    checkOrigins(items, lineage)
    if (fence !== undefined && this.fences.get(fence.source)?.id !== fence.id) throw new StaleFence(fence)
    const moved = epochs === undefined ? undefined : items.map(({ topic }) => this.shardOf(topic)).find(shard => epochs[shard] !== this.epoch(shard))
    if (moved !== undefined) throw new StaleEpoch(moved)
    const timestamp = this.now()
    this.answers.expire(timestamp)
    const appended = new Map<number, Entry[]>()
    const results = items.map(item => this.appendOne(item, timestamp, lineage, appended))
    this.expire()
    this.tell([...appended].map(([shard, entries]) => ({ shard, epoch: this.states[shard]!.epochs.at(-1)!, entries })))
    return results
  }

  async raise (source: string): Promise<Fence> {
    if (this.closed) throw new ProtocolError('log_unavailable')
    const fence = { source, token: Math.max(this.now(), (this.fences.get(source)?.token ?? 0) + 1), id: randomUUID() }
    this.fences.set(source, fence)
    return fence
  }

  async origins (processor: string, shard?: number): Promise<ReadonlyMap<string, KeptOrigin>> {
    const origins = new Map<string, KeptOrigin>()
    for (const [topic, history] of this.histories) {
      const origin = shard === undefined || history.shard === shard ? history.newestOrigin(processor) : undefined
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

  async tail (shard: number, onBatch: Listener['onBatch']): Promise<Tailing> {
    const listener: Listener = { shard, onBatch }
    this.listeners.add(listener)
    return { head: this.headOf(shard), end: () => { this.listeners.delete(listener) } }
  }

  /** It is there as long as the process is. */
  watch (): () => void {
    return () => {}
  }

  /** The node that has it has passed on all of it itself. */
  async recent (): Promise<readonly Entry[]> {
    return []
  }

  async head (shards: Iterable<number> = this.states.keys()): Promise<readonly ShardHead[]> {
    return Array.from(shards, shard => this.headOf(shard))
  }

  async topics (shard?: number): Promise<ReadonlyMap<string, TopicPosition>> {
    const topics = new Map([...this.histories].map(([topic, { last }]) => [topic, last]))
    for (const [topic, last] of this.dormant) topics.set(topic, last)
    return shard === undefined ? topics : new Map([...topics].filter(([topic]) => this.shardOf(topic) === shard))
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
   * What a log that was restarted without its last writes looks like: all beyond an offset of each shard is gone,
   * and a new epoch begins behind it. The rules of epochs can so be shown without a server that loses its disk.
   * @param offsets by shard; never before what retention has dropped, which cannot be told apart any more
   */
  restart (offsets: readonly number[]): void {
    const keep = this.states.map(({ offset, dropped }, shard) => Math.min(offset, Math.max(dropped, offsets[shard] ?? offset)))
    for (const [topic, history] of this.histories) {
      for (const bytes of history.loseBeyond(keep[history.shard]!)) this.bytes -= bytes + ENTRY_OVERHEAD_BYTES
      if (history.lastSequence === 0) this.histories.delete(topic)
    }
    this.retained = [...this.histories.values()].filter(({ size }) => size > 0).length
    // Offsets are given out again: a topic's oldest message may now come before the place that it had.
    for (const ages of this.ages.values()) ages.clear()
    for (const history of this.histories.values()) if (history.size > 0) this.agesOf(history).add(history)
    this.answers.loseBeyond(keep)
    for (const [shard, state] of this.states.entries()) {
      state.offset = keep[shard]!
      const epoch = { epoch: this.clock.randomEpoch(), start: state.offset + 1 }
      state.epochs = [...state.epochs, epoch].slice(-MAX_EPOCHS)
    }
    this.tell(this.states.map(({ epochs }, shard) => ({ shard, epoch: epochs.at(-1)!, entries: [] })))
  }

  private appendOne (item: AppendItem, timestamp: number, lineage: readonly number[], appended: Map<number, Entry[]>): AppendResult {
    const { payload, replaces = false, idempotencyKey, origin } = item
    const answer = idempotencyKey === undefined ? undefined : this.answers.get(item.topic, idempotencyKey)
    if (answer !== undefined) return answer
    const history = this.historyFor(item.topic)
    if (history === undefined) return { error: 'overloaded' }
    const kept = origin === undefined ? undefined : history.newestOrigin(origin.processor)
    if (origin !== undefined && kept !== undefined && !isNewer(origin, kept, lineage)) {
      return { sequence: kept.sequence, offset: kept.outputOffset, shard: history.shard, repeated: true }
    }
    const { topic, shard, lastSequence, lastOffset: previous } = history
    const offset = ++this.states[shard]!.offset
    const entry: Entry = { topic, shard, offset, sequence: lastSequence + 1, previous, timestamp, payload, replaces }
    if (history.size === 0) this.retained++
    this.bytes += history.push(entry) + ENTRY_OVERHEAD_BYTES
    if (origin !== undefined) history.noteOrigin(origin)
    this.agesOf(history).add(history)
    if (history.size > history.maxMessages) this.drop(history)
    const entries = appended.get(shard)
    if (entries === undefined) appended.set(shard, [entry])
    else entries.push(entry)
    const result = { sequence: entry.sequence, offset, shard }
    if (idempotencyKey !== undefined) this.answers.add(topic, idempotencyKey, result, timestamp)
    return result
  }

  /** Where a topic's next message goes; undefined where there is no room for one more topic. */
  private historyFor (topic: string): TopicHistory | undefined {
    const known = this.histories.get(topic)
    if (known !== undefined && known.size > 0) return known
    // What has grown too old makes room.
    if (this.retained >= this.options.maxTopics) this.expire()
    return this.retained >= this.options.maxTopics ? undefined : this.histories.get(topic) ?? this.begin(topic)
  }

  /** A topic's first message, or the first since its last one was dropped. A last sequence is never forgotten, so their number is bounded. */
  private begin (topic: string): TopicHistory | undefined {
    const { maxTopics, maxTopicNames = NAMES_PER_TOPIC * maxTopics } = this.options
    const last = this.dormant.get(topic)
    if (last === undefined && this.histories.size + this.dormant.size >= maxTopicNames) return undefined
    const channel = this.options.channels.get(parseTopicKey(topic).channel)
    const { messages, seconds } = { ...this.options.retention, ...channel?.retention }
    const history = new TopicHistory(topic, this.shardOf(topic), channel?.reduce, messages, seconds * 1000)
    if (last !== undefined) history.goOnFrom(last)
    this.dormant.delete(topic)
    this.histories.set(topic, history)
    return history
  }

  private agesOf ({ maxAgeMs }: TopicHistory): OldestFirst {
    let ages = this.ages.get(maxAgeMs)
    if (ages === undefined) this.ages.set(maxAgeMs, ages = new OldestFirst())
    return ages
  }

  private drop (history: TopicHistory): void {
    const shard = this.states[history.shard]!
    shard.dropped = Math.max(shard.dropped, history.oldestOffset)
    this.bytes -= history.shift() + ENTRY_OVERHEAD_BYTES
    if (history.size > 0) return
    this.retained--
    if (!history.isEmpty) return
    this.histories.delete(history.topic)
    this.dormant.set(history.topic, history.last)
  }

  /** Drops what is too old, and the oldest of all while there is too much. */
  private expire (): void {
    const now = this.now()
    this.answers.expire(now)
    for (const [maxAgeMs, ages] of this.ages) {
      for (let first = ages.first; first !== undefined && first.timestamp <= now - maxAgeMs; first = ages.first) this.drop(first.topic)
    }
    while (this.bytes > this.options.retention.bytes) {
      const oldest = this.oldestOfAll()
      if (oldest === undefined) return
      this.drop(oldest)
    }
  }

  private oldestOfAll (): TopicHistory | undefined {
    let oldest: TopicAge | undefined
    for (const { first } of this.ages.values()) {
      if (first !== undefined && (oldest === undefined || isOlder(first, oldest))) oldest = first
    }
    return oldest?.topic
  }

  /**
   * A listener may itself append, or end another: what comes of it is told when all have heard what came before, so
   * that everybody hears the same order.
   */
  private tell (batches: readonly TailBatch[]): void {
    const listeners = [...this.listeners]
    for (const batch of batches) this.untold.push({ batch, listeners })
    if (this.telling) return
    this.telling = true
    for (let next = this.untold.shift(); next !== undefined; next = this.untold.shift()) {
      for (const listener of next.listeners) if (this.listeners.has(listener) && listener.shard === next.batch.shard) this.tellOne(listener, next.batch)
    }
    this.telling = false
  }

  private tellOne (listener: Listener, batch: TailBatch): void {
    try {
      listener.onBatch(batch)
    } catch (error) {
      // One that fails must neither keep the batch from the others, nor undo an append that has happened, nor end
      // the process and the log with it.
      process.emitWarning(error instanceof Error ? error : String(error))
    }
  }

  private headOf (shard: number): ShardHead {
    const { offset, epochs } = this.states[shard]!
    return { epoch: this.epoch(shard), offset, epochs: [...epochs] }
  }

  private epoch (shard: number): number {
    return this.states[shard]!.epochs.at(-1)!.epoch
  }

  /** Time in the log never goes back, whatever the clock does. */
  private now (): number {
    this.time = Math.max(this.time, this.clock.now())
    return this.time
  }
}
