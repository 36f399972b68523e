import { type Channels, encodeCursor, encodeEpoch, type ShardPosition, topicScope } from '@tickwire/protocol'
import type { Entry, EpochStart, Log, TailBatch } from '../log/log.js'
import { Directory } from './directory.js'
import { changeEpoch } from './epoch-change.js'
import { type Format, MessageEncoder } from './frame.js'
import { RECENT_SECONDS, RecentEntries } from './recent.js'
import type { Selector } from './selector.js'
import type { Subscriber } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'

export interface ShardState {
  epochs: EpochStart[]
  /** Of the last entry that the tail brought. */
  received: number
  /** Of the last entry that was passed on: where live connections stand. */
  flushed: number
  recent: RecentEntries
}

export interface HubOptions {
  readonly log: Log
  readonly channels: Channels
  /** Milliseconds over which messages are gathered into one write; 0: the next tick. */
  readonly flushMs: number
  /** Bound of the recent entries, in all. */
  readonly recentBytes: number
  readonly onError: (error: unknown, message: string) => void
}

/** What a node passes on, and how far: one ordering path from the log's tail to every subscriber. */
export class Hub {
  readonly log: Log
  readonly channels: Channels
  readonly encoder: MessageEncoder
  readonly directory = new Directory()
  readonly shards: ShardState[] = []

  private readonly byTopic = new Map<string, Set<Subscriber>>()
  private readonly byScope = new Map<string, Set<Subscriber>>()
  private pending = new Map<string, Entry[]>()
  /** Topics whose first messages are pending: subscribers that may hold a lost one of that name get a reset first. */
  private readonly born = new Set<string>()
  /** Entries up to this offset of a topic are part of a snapshot that its subscribers were just given. */
  private readonly covered = new Map<string, number>()
  private timer: NodeJS.Timeout | NodeJS.Immediate | undefined
  private changingEpoch: Promise<void> | undefined
  private waiting: Array<() => void> = []
  private readonly cursorFrames = new Map<Format, { plain?: Buffer, lost?: Buffer }>()
  private cursorTexts: { plain?: string, lost?: string } = {}
  private endTail: (() => void) | undefined
  private expiry: NodeJS.Timeout | undefined

  constructor (private readonly options: HubOptions) {
    this.log = options.log
    this.channels = options.channels
    this.encoder = new MessageEncoder(options.channels)
  }

  async start (): Promise<void> {
    const early: TailBatch[] = []
    let ready = false
    this.endTail = this.log.tail(batch => { if (ready) this.onBatch(batch); else early.push(batch) })
    const recentBytes = this.options.recentBytes / this.log.shards
    for (const { epochs, offset } of await this.log.head()) {
      this.shards.push({ epochs: [...epochs], received: offset, flushed: offset, recent: new RecentEntries(offset, recentBytes) })
    }
    await this.directory.load(this.log)
    ready = true
    for (const batch of early) this.onBatch(batch)
    this.expiry = setInterval(() => {
      const before = Date.now() - RECENT_SECONDS * 1000
      for (const shard of this.shards) shard.recent.expire(before)
    }, 1000).unref()
  }

  close (): void {
    this.endTail?.()
    clearInterval(this.expiry)
    if (this.timer !== undefined) this.cancelFlush()
    this.wake()
  }

  // ---- positions

  epoch (shard: number): number {
    return this.shards[shard]!.epochs.at(-1)!.epoch
  }

  /** The epochs of all shards as clients see them. */
  epochText (): string {
    return encodeEpoch(this.shards.map((_, shard) => this.epoch(shard)))
  }

  /** The cursor of a subscriber that stands where the hub stands; made once per window. */
  cursorText (lostTopics: boolean): string {
    const name = lostTopics ? 'lost' : 'plain'
    this.cursorTexts[name] ??= this.cursorAt(this.shards.map(shard => shard.flushed), lostTopics)
    return this.cursorTexts[name]
  }

  cursorFrame (format: Format, lostTopics: boolean): Buffer {
    const name = lostTopics ? 'lost' : 'plain'
    let frames = this.cursorFrames.get(format)
    if (frames === undefined) this.cursorFrames.set(format, frames = {})
    frames[name] ??= format.encodeCursor(this.cursorText(lostTopics))
    return frames[name]
  }

  /** The cursor of offsets by shard, in the current epochs. */
  cursorAt (offsets: readonly number[], lostTopics: boolean): string {
    const shards = new Map<number, ShardPosition>()
    offsets.forEach((offset, shard) => shards.set(shard, { epoch: this.epoch(shard), offset }))
    return encodeCursor({ shards, lostTopics })
  }

  /** Resolves after the next flush, or when a new epoch has been dealt with: the hub may stand elsewhere then. */
  advanced (): Promise<void> {
    return new Promise(resolve => { this.waiting.push(resolve) })
  }

  /** Undefined while nothing is being dealt with: subscribers may only be attached then. */
  get epochChange (): Promise<void> | undefined {
    return this.changingEpoch
  }

  // ---- subscribers

  attach (subscriber: Subscriber, selector: Selector): void {
    const index = selector.every ? this.byScope : this.byTopic
    const subscribers = index.get(selector.key)
    if (subscribers === undefined) index.set(selector.key, new Set([subscriber]))
    else subscribers.add(subscriber)
  }

  detach (subscriber: Subscriber, selector: Selector): void {
    const index = selector.every ? this.byScope : this.byTopic
    const subscribers = index.get(selector.key)
    if (subscribers?.delete(subscriber) === true && subscribers.size === 0) index.delete(selector.key)
  }

  /** Each subscriber of a topic once, whatever selectors overlap. */
  * subscribers (topic: string): Iterable<Subscriber> {
    const every = this.byScope.get(topicScope(topic))
    if (every !== undefined) yield * every
    for (const subscriber of this.byTopic.get(topic) ?? NOBODY) {
      if (every === undefined || !every.has(subscriber)) yield subscriber
    }
  }

  allSubscribers (): Set<Subscriber> {
    const all = new Set<Subscriber>()
    for (const index of [this.byTopic, this.byScope]) {
      for (const subscribers of index.values()) {
        for (const subscriber of subscribers) all.add(subscriber)
      }
    }
    return all
  }

  get topicCount (): number {
    return this.byTopic.size + this.byScope.size
  }

  // ---- the way of a message

  private onBatch (batch: TailBatch): void {
    const shard = this.shards[batch.shard]!
    if (batch.epoch.epoch !== shard.epochs.at(-1)!.epoch) this.beginEpoch(batch.shard, batch.epoch)
    for (const entry of batch.entries) {
      shard.received = entry.offset
      const entries = this.pending.get(entry.topic)
      if (entries === undefined) {
        this.pending.set(entry.topic, [entry])
        if (entry.previous === 0) this.born.add(entry.topic)
      } else entries.push(entry)
      this.directory.add(entry)
    }
    if (batch.entries.length > 0) this.schedule()
  }

  private schedule (): void {
    if (this.timer !== undefined || this.changingEpoch !== undefined) return
    const flush = (): void => { this.timer = undefined; this.flush() }
    this.timer = this.options.flushMs === 0 ? setImmediate(flush) : setTimeout(flush, this.options.flushMs)
  }

  private cancelFlush (): void {
    if (this.options.flushMs === 0) clearImmediate(this.timer as NodeJS.Immediate)
    else clearTimeout(this.timer as NodeJS.Timeout)
    this.timer = undefined
  }

  private flush (): void {
    const window = this.pending
    this.pending = new Map()
    this.moved()
    for (const shard of this.shards) shard.flushed = shard.received
    this.remember(window)
    const dirty = new Set<Subscriber>()
    for (const [topic, entries] of window) {
      const upTo = this.covered.get(topic)
      this.deliverTopic(topic, upTo === undefined ? entries : entries.filter(entry => entry.offset > upTo), dirty)
    }
    this.covered.clear()
    this.born.clear()
    for (const subscriber of dirty) subscriber.flush()
    this.wake()
  }

  /** Puts a window into the recent entries, in order of offset over its topics. */
  private remember (window: Map<string, Entry[]>): void {
    const groups = [...window.values()]
    const entries = groups.length === 1 ? groups[0]! : groups.flat().sort((a, b) => a.offset - b.offset)
    for (const entry of entries) this.shards[entry.shard]!.recent.push(entry)
  }

  private deliverTopic (topic: string, entries: readonly Entry[], dirty: Set<Subscriber>): void {
    const every = this.byScope.get(topicScope(topic))
    const named = this.byTopic.get(topic)
    if (entries.length === 0 || (every === undefined && named === undefined)) return
    const bytes = new TopicBytes(entries.map(entry => this.encoder.entry(entry)))
    const reborn = this.born.has(topic) ? new TopicBytes([this.encoder.reset(topic, 'epoch_changed')]) : undefined
    if (every !== undefined) {
      for (const subscriber of every) {
        // PROTOCOL.md, Terms: after a resume whose position was lost, a topic that the log did not have gets a
        // reset before its first message. Topics that were named got theirs at once.
        if (reborn !== undefined && subscriber.lostTopics) subscriber.deliver(reborn.as(subscriber.format))
        subscriber.deliver(bytes.as(subscriber.format))
        dirty.add(subscriber)
      }
    }
    if (named !== undefined) {
      for (const subscriber of named) {
        if (every?.has(subscriber) === true) continue
        subscriber.deliver(bytes.as(subscriber.format))
        dirty.add(subscriber)
      }
    }
  }

  private beginEpoch (index: number, next: EpochStart): void {
    const shard = this.shards[index]!
    for (const [topic, entries] of this.pending) {
      if (this.log.shardOf(topic) !== index) continue
      const kept = entries.filter(entry => entry.offset < next.start)
      if (kept.length === 0) this.pending.delete(topic)
      else this.pending.set(topic, kept)
    }
    shard.received = Math.min(shard.received, next.start - 1)
    if (this.timer !== undefined) this.cancelFlush()
    if (this.changingEpoch === undefined) this.flush()
    shard.flushed = Math.min(shard.flushed, next.start - 1)
    shard.epochs.push(next)
    const lost = this.passedOnBeyond(index, next.start)
    shard.recent.truncate(next.start)
    this.moved()
    const before = this.changingEpoch ?? Promise.resolve()
    const change = before
      .then(async () => { await changeEpoch(this, index, lost, (topic, upTo) => this.covered.set(topic, upTo)) })
      .catch((error: unknown) => { this.options.onError(error, 'a new epoch of the log could not be dealt with') })
      .finally(() => {
        if (this.changingEpoch !== change) return
        this.changingEpoch = undefined
        this.flush()
      })
    this.changingEpoch = change
  }

  /** The topics of a shard of which something at or beyond an offset was passed on. */
  private passedOnBeyond (index: number, offset: number): Set<string> {
    const { recent } = this.shards[index]!
    const topics = new Set<string>()
    if (recent.covers(offset - 1)) {
      recent.after(offset - 1, entry => { topics.add(entry.topic); return true })
    } else {
      for (const [topic, last] of this.directory.every()) {
        if (this.log.shardOf(topic) === index && last.offset >= offset) topics.add(topic)
      }
    }
    return topics
  }

  /** The hub stands elsewhere: cursors made so far are not its own any more. */
  private moved (): void {
    this.cursorTexts = {}
    for (const frames of this.cursorFrames.values()) {
      delete frames.plain
      delete frames.lost
    }
  }

  private wake (): void {
    const waiting = this.waiting
    this.waiting = []
    for (const resolve of waiting) resolve()
  }
}

const NOBODY: ReadonlySet<Subscriber> = new Set()
