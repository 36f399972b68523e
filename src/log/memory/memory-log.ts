import { randomUUID } from 'node:crypto'
import {
  acknowledgements, channelOfKey, type Channels, ProtocolError
} from '@tickwire/protocol'
import {
  type AppendItem, type AppendOptions, type AppendResult, type Entry, type Fence, IDEMPOTENCY_SECONDS,
  type KeptOrigin, type KeyedMessage, type Log, type LogClock, type Page, randomEpoch, type ReadFrom,
  type Retention, type ShardHead, type Snapshot, StaleEpoch, StaleFence, type TailBatch, type Tailing,
  type TopicPosition
} from '../log.js'
import { checkOrigins, isNewer } from '../origin-order.js'
import { LogContents } from './log-contents.js'

/** How often the log drops messages that have grown too old if nobody reads or appends. */
const EXPIRY_MS = 1000

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

interface Listener {
  readonly shard: number
  readonly onBatch: (batch: TailBatch) => void
}

/** What an append has to tell, and those who listened when it was applied. */
export interface Delivery {
  readonly batches: readonly TailBatch[]
  readonly listeners: readonly Listener[]
}

export interface Applied {
  readonly results: readonly AppendResult[]
  readonly delivery: Delivery
}

/** Hears of what a log in memory appends, in order. */
export interface AppendRecorder {
  /** An append begins. */
  noteTime (timestamp: number): void
  noteMessage (entry: Entry, item: AppendItem): void
}

const systemClock: LogClock = { now: Date.now, randomEpoch }

/** Returns what a log that nobody has appended to holds. */
export const emptyContents = (
  { shards = 1, clock = systemClock, ...options }: MemoryLogOptions
): LogContents => new LogContents({ ...options, shards, clock })

/**
 * The log of a single process: the default, and the simplest form of the contract. It is lost when the
 * process ends.
 */
export class MemoryLog implements Log {
  readonly shards: number
  private readonly listeners = new Set<Listener>()
  /** Batches that wait for their delivery, each with those who listened when it was appended. */
  private readonly undelivered: Array<{
    readonly batch: TailBatch
    readonly listeners: readonly Listener[]
  }> = []

  private isDelivering = false
  private readonly expiry: NodeJS.Timeout
  private closed = false

  /** @param recorder is told of each message as it is appended */
  constructor (
    private readonly options: MemoryLogOptions,
    private readonly contents: LogContents = emptyContents(options),
    private readonly recorder?: AppendRecorder
  ) {
    this.shards = contents.shards.length
    this.expiry = setInterval(() => { this.expire() }, EXPIRY_MS).unref()
  }

  shardOf (topic: string): number {
    return this.contents.shardOf(topic)
  }

  async append (
    items: readonly AppendItem[], options?: AppendOptions
  ): Promise<readonly AppendResult[]> {
    const { results, delivery } = this.apply(items, options)
    this.deliver(delivery)
    return results
  }

  /** Appends, and tells the tails of nothing: {@link deliver} does, in the order of the appends. */
  apply (
    items: readonly AppendItem[], { fence, lineage = [], epochs }: AppendOptions = {}
  ): Applied {
    if (this.closed) throw new ProtocolError('log_unavailable')
    checkOrigins(items, lineage)
    const { contents } = this
    if (fence !== undefined && contents.fences.get(fence.source)?.id !== fence.id) throw new StaleFence(fence)
    if (epochs !== undefined) {
      const shards = items.map(({ topic }) => this.shardOf(topic))
      const moved = shards.find(shard => epochs[shard] !== contents.epoch(shard))
      if (moved !== undefined) throw new StaleEpoch(moved)
    }
    const timestamp = contents.now()
    contents.answers.expire(timestamp)
    this.recorder?.noteTime(timestamp)
    const appended = new Map<number, Entry[]>()
    const results = items.map(item => this.appendOne(item, timestamp, lineage, appended))
    this.expire()
    const batches = Array.from(appended, ([shard, entries]) => {
      return { shard, epoch: contents.shards[shard]!.epochs.at(-1)!, entries }
    })
    return { results, delivery: { batches, listeners: [...this.listeners] } }
  }

  async raise (source: string): Promise<Fence> {
    return this.raiseFence(source)
  }

  raiseFence (source: string): Fence {
    if (this.closed) throw new ProtocolError('log_unavailable')
    const { fences } = this.contents
    const token = Math.max(this.contents.now(), (fences.get(source)?.token ?? 0) + 1)
    const fence = { source, token, id: randomUUID() }
    fences.set(source, fence)
    return fence
  }

  async origins (processor: string, shard?: number): Promise<ReadonlyMap<string, KeptOrigin>> {
    const origins = new Map<string, KeptOrigin>()
    for (const [topic, history] of this.contents.topics.histories) {
      if (shard !== undefined && history.shard !== shard) continue
      const origin = history.newestOrigin(processor)
      if (origin !== undefined) origins.set(topic, origin)
    }
    return origins
  }

  async read (topic: string, from: ReadFrom, limit: number): Promise<Page> {
    this.expire()
    const { contents } = this
    const history = contents.topics.histories.get(topic)
    return {
      epoch: contents.epoch(this.shardOf(topic)),
      entries: history?.after(from, limit) ?? [],
      last: contents.topics.last(topic),
      first: history === undefined || history.size === 0 ? undefined : history.oldestSequence
    }
  }

  async find (topic: string, idempotencyKey: string): Promise<KeyedMessage | undefined> {
    this.expire()
    const found = this.contents.answers.get(topic, idempotencyKey, this.keySeconds(topic))
    if (found === undefined) return undefined
    const { sequence, offset } = found
    const history = this.contents.topics.histories.get(topic)
    const [next] = history?.after({ sequence: sequence - 1 }, 1) ?? []
    return { sequence, offset, entry: next?.sequence === sequence ? next : undefined }
  }

  async tail (shard: number, onBatch: Listener['onBatch']): Promise<Tailing> {
    const listener: Listener = { shard, onBatch }
    this.listeners.add(listener)
    return { head: this.contents.headOf(shard), end: () => { this.listeners.delete(listener) } }
  }

  /** Never calls back: this log can be reached as long as the process runs. */
  watch (): () => void {
    return () => {}
  }

  /** Returns none: the one node that has this log has passed all of it on itself. */
  async recent (): Promise<readonly Entry[]> {
    return []
  }

  async head (shards: Iterable<number> = this.contents.shards.keys()): Promise<readonly ShardHead[]> {
    return Array.from(shards, shard => this.contents.headOf(shard))
  }

  async topics (shard?: number): Promise<ReadonlyMap<string, TopicPosition>> {
    const { histories, dormant } = this.contents.topics
    const topics = new Map([...histories].map(([topic, { last }]) => [topic, last]))
    for (const [topic, last] of dormant) topics.set(topic, last)
    if (shard === undefined) return topics
    return new Map([...topics].filter(([topic]) => this.shardOf(topic) === shard))
  }

  async snapshot (topic: string): Promise<Snapshot | undefined> {
    const state = this.contents.topics.histories.get(topic)?.state()
    if (state === undefined) return undefined
    const shard = this.shardOf(topic)
    return { topic, epoch: this.contents.epoch(shard), ...state, asOf: this.contents.shards[shard]!.offset }
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
    const { shards, topics, answers } = this.contents
    const keep = shards.map(({ offset }, shard) => {
      return Math.min(offset, Math.max(topics.dropped[shard]!, offsets[shard] ?? offset))
    })
    topics.loseBeyond(keep)
    answers.loseBeyond(keep)
    for (const [shard, state] of shards.entries()) state.offset = keep[shard]!
    this.contents.beginEpochs()
    const batches = shards.map(({ epochs }, shard) => ({ shard, epoch: epochs.at(-1)!, entries: [] }))
    this.deliver({ batches, listeners: [...this.listeners] })
  }

  /**
   * A listener may append, or end another listener. The log delivers what follows from that only after all
   * listeners have heard what came before, so that all hear the same order.
   */
  deliver ({ batches, listeners }: Delivery): void {
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

  private appendOne (
    item: AppendItem,
    timestamp: number,
    lineage: readonly number[],
    appended: Map<number, Entry[]>
  ): AppendResult {
    const { payload, replaces = false, idempotencyKey, origin } = item
    const { answers, topics, shards } = this.contents
    const keySeconds = idempotencyKey === undefined ? 0 : this.keySeconds(item.topic)
    const known = idempotencyKey === undefined
      ? undefined
      : answers.get(item.topic, idempotencyKey, keySeconds)
    if (known !== undefined) return { ...known, repeated: true }
    const history = topics.historyFor(item.topic, () => this.contents.now())
    if (history === undefined) return { error: 'overloaded' }
    const kept = origin === undefined ? undefined : history.newestOrigin(origin.processor)
    if (origin !== undefined && kept !== undefined && !isNewer(origin, kept, lineage)) {
      return { sequence: kept.sequence, offset: kept.outputOffset, shard: history.shard, repeated: true }
    }
    const { topic, shard, lastSequence, lastOffset: previous } = history
    const offset = ++shards[shard]!.offset
    const sequence = lastSequence + 1
    const entry: Entry = { topic, shard, offset, sequence, previous, timestamp, payload, replaces }
    topics.push(history, entry)
    if (origin !== undefined) history.noteOrigin(origin)
    if (history.channel === acknowledgements) topics.release(topic)
    const entries = appended.get(shard)
    if (entries === undefined) appended.set(shard, [entry])
    else entries.push(entry)
    const result = { sequence, offset, shard }
    if (idempotencyKey !== undefined) answers.add(topic, idempotencyKey, keySeconds, result, timestamp)
    this.recorder?.noteMessage(entry, item)
    return result
  }

  /** For how many seconds the log remembers the keys of a topic. */
  private keySeconds (topic: string): number {
    return keySecondsOf(this.options.channels, topic)
  }

  private expire (): void {
    this.contents.expire(this.contents.now())
  }
}

/** For how many seconds a log remembers the keys of a topic. */
export const keySecondsOf = (channels: Channels, topic: string): number =>
  channels.get(channelOfKey(topic))?.idempotencySeconds ?? IDEMPOTENCY_SECONDS

function notify (listener: Listener, batch: TailBatch): void {
  try {
    listener.onBatch(batch)
  } catch (error) {
    // A listener that fails must neither keep the batch from the others, nor undo the append, nor end the
    // process and the log with it.
    process.emitWarning(error instanceof Error ? error : String(error))
  }
}
