import {
  type ChannelDefinition, type Channels, encodeEpoch, encodePositions, type Instrument, parseTopicKey, type ShardPosition, topicKey, instruments as instrumentsChannel
} from '@tickwire/protocol'
import type { Entry, EpochStart, Log, TailBatch } from '../log/log.js'
import type { Counters } from '../metrics/counters.js'
import { Audience } from './audience.js'
import { Conflator } from './conflator.js'
import { CutStates } from './cut-states.js'
import { Directory } from './directory.js'
import { moveInstrument } from './entrances.js'
import { changeEpoch } from './epoch-change.js'
import { type Encoders, type Format, MessageEncoder } from './frame.js'
import type { HubParts, ShardState } from './hub-parts.js'
import { Membership } from './membership.js'
import { RECENT_SECONDS, RecentEntries } from './recent.js'
import type { Selector } from './selector.js'
import type { Subscriber } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'
import { isWhole } from './view.js'

export interface HubOptions {
  readonly log: Log
  readonly channels: Channels
  /** Milliseconds over which messages are gathered into one write; 0: the next tick. */
  readonly flushMs: number
  /** Bound of the recent entries, in all. */
  readonly recentBytes: number
  readonly counters: Counters
  readonly onError: (error: unknown, message: string) => void
}

/** What a node passes on, and how far: one ordering path from the log's tail to every subscriber. */
export class Hub implements HubParts {
  readonly log: Log
  readonly channels: Channels
  readonly encoders: Encoders
  readonly counters: Counters
  readonly directory = new Directory()
  readonly membership = new Membership()
  readonly audience = new Audience(this.membership)
  readonly cutStates = new CutStates()
  readonly shards: ShardState[] = []

  private readonly conflator: Conflator
  private pending = new Map<string, Entry[]>()
  /** Entries up to this offset of a topic are part of a snapshot that its subscribers were just given. */
  private readonly covered = new Map<string, number>()
  private timer: NodeJS.Timeout | NodeJS.Immediate | undefined
  private changingEpoch: Promise<void> | undefined
  /** By shard, the topics that new epochs which are being dealt with took from subscribers. */
  private readonly lost = new Map<number, ReadonlySet<string>>()
  /** The epochs that subscribers have been told of. */
  private told = ''
  private moving: Promise<void> = Promise.resolve()
  /** Messages of instruments that are being moved between sets, or wait for it. */
  private readonly unmoved = new Set<Entry>()
  private waiting: Array<() => void> = []
  /**
   * The cursor of those who stand where the hub stands, without marks and by marks and format; of this window. While a
   * new epoch is being dealt with it stays in the old one: a client that is cut then still has its resets to come.
   */
  private position: string | undefined
  private readonly cursorFrames = new Map<Format, Map<string, Buffer>>()
  private endTail: (() => void) | undefined
  private expiry: NodeJS.Timeout | undefined

  constructor (private readonly options: HubOptions) {
    this.log = options.log
    this.channels = options.channels
    this.counters = options.counters
    this.encoders = { string: new MessageEncoder(options.channels, 'string'), number: new MessageEncoder(options.channels, 'number') }
    this.conflator = new Conflator(this, () => { this.sendDue() })
  }

  async start (): Promise<void> {
    const early: TailBatch[] = []
    let ready = false
    this.endTail = this.log.tail(batch => { if (ready) this.onBatch(batch); else early.push(batch) })
    const recentBytes = this.options.recentBytes / this.log.shards
    for (const { epochs, offset } of await this.log.head()) {
      this.shards.push({ epochs: [...epochs], received: offset, flushed: offset, recent: new RecentEntries(offset, recentBytes) })
    }
    this.told = encodeEpoch(this.shards.map((_, shard) => this.epoch(shard)))
    await this.directory.load(this.log)
    for (const instrument of this.directory.instruments()) this.membership.set(instrument)
    ready = true
    // What came while the log was asked where it stands may be part of the answer, or of an epoch before it.
    for (const batch of early) if (!this.isPast(batch)) this.onBatch(batch)
    this.expiry = setInterval(() => {
      const before = Date.now() - RECENT_SECONDS * 1000
      for (const shard of this.shards) shard.recent.expire(before)
      this.conflator.sweep()
    }, 1000).unref()
  }

  close (): void {
    this.endTail?.()
    clearInterval(this.expiry)
    this.conflator.close()
    if (this.timer !== undefined) this.cancelFlush()
    this.wake()
  }

  channelOf (topic: string): ChannelDefinition | undefined {
    return this.channels.get(parseTopicKey(topic).channel)
  }

  // ---- positions

  epoch (shard: number): number {
    return this.shards[shard]!.epochs.at(-1)!.epoch
  }

  /** The epochs of all shards as live subscribers see them: new ones once the resets that they cause have been sent. */
  epochText (): string {
    return this.told
  }

  /** The cursor of a subscriber that stands where the hub stands; made once per window. @param marks of `encodeMarks` */
  cursorText (marks: string): string {
    this.position ??= this.positionAt(this.shards.map(shard => shard.flushed))
    return this.position + marks
  }

  cursorFrame (format: Format, marks: string): Buffer {
    let frames = this.cursorFrames.get(format)
    if (frames === undefined) this.cursorFrames.set(format, frames = new Map())
    let frame = frames.get(marks)
    if (frame === undefined) frames.set(marks, frame = format.encodeCursor(this.cursorText(marks)))
    return frame
  }

  /**
   * The cursor of offsets by shard, in the current epochs, without marks. It stays before an instrument that is not
   * yet in its new sets: on resume, what came after the cursor counts as entered.
   */
  positionAt (offsets: readonly number[]): string {
    const position = [...offsets]
    for (const { shard, offset } of this.unmoved) position[shard] = Math.min(position[shard]!, offset - 1)
    return encodePositions(new Map(position.map((offset, shard): [number, ShardPosition] => [shard, { epoch: this.epoch(shard), offset }])))
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

  /** Who has throttled topics already must have been settled. */
  attach (subscriber: Subscriber, selector: Selector): void {
    this.audience.attach(subscriber, selector)
  }

  detach (subscriber: Subscriber, selector: Selector): void {
    this.audience.detach(subscriber, selector)
  }

  /**
   * Delivers what is throttled and pending for a subscriber: before its subscriptions change, and before it is sent
   * a state that holds what is pending.
   * @param waits whether some of its subscriptions are throttled or cut
   */
  settle (subscriber: Subscriber, waits: boolean): void {
    this.conflator.settle(subscriber, waits)
  }

  sendPending (concerned: (topic: string) => boolean): void {
    const dirty = new Set<Subscriber>()
    this.conflator.sendAll(concerned, dirty)
    for (const subscriber of dirty) subscriber.flush()
  }

  // ---- the way of a message

  private onBatch (batch: TailBatch): void {
    const shard = this.shards[batch.shard]!
    if (batch.epoch.epoch !== shard.epochs.at(-1)!.epoch) this.beginEpoch(batch.shard, batch.epoch)
    for (const entry of batch.entries) {
      if (entry.offset <= shard.received) continue
      shard.received = entry.offset
      const entries = this.pending.get(entry.topic)
      if (entries === undefined) {
        this.pending.set(entry.topic, [entry])
      } else entries.push(entry)
      this.directory.add(entry)
    }
    this.counters.received += batch.entries.length
    if (batch.entries.length > 0) this.schedule()
  }

  /** Whether a batch is of an epoch that is over. */
  private isPast ({ shard, epoch }: TailBatch): boolean {
    return this.shards[shard]!.epochs.slice(0, -1).some(known => known.epoch === epoch.epoch)
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
    this.conflator.beginWindow()
    const dirty = new Set<Subscriber>()
    for (const [topic, entries] of window) {
      const upTo = this.covered.get(topic)
      this.deliverTopic(topic, upTo === undefined ? entries : entries.filter(entry => entry.offset > upTo), dirty)
    }
    this.covered.clear()
    this.conflator.send(dirty)
    for (const subscriber of dirty) subscriber.flush()
    if (dirty.size > 0) this.measure(window)
    this.wake()
  }

  /** The window ends early where a throttled topic is due, so that its last message does not wait for another turn. */
  private sendDue (): void {
    if (this.changingEpoch === undefined) {
      if (this.timer !== undefined) this.cancelFlush()
      this.flush()
      return
    }
    const dirty = new Set<Subscriber>()
    this.conflator.send(dirty)
    for (const subscriber of dirty) subscriber.flush()
  }

  private measure (window: Map<string, Entry[]>): void {
    let oldest = Infinity
    for (const [first] of window.values()) oldest = Math.min(oldest, first!.timestamp)
    if (oldest !== Infinity) this.counters.onWindow(Math.max(0, Date.now() - oldest))
  }

  /** Puts a window into the recent entries, in order of offset over its topics. */
  private remember (window: Map<string, Entry[]>): void {
    const groups = [...window.values()]
    const entries = groups.length === 1 ? groups[0]! : groups.flat().sort((a, b) => a.offset - b.offset)
    for (const entry of entries) this.shards[entry.shard]!.recent.push(entry)
  }

  private deliverTopic (topic: string, entries: readonly Entry[], dirty: Set<Subscriber>): void {
    if (entries.length === 0) return
    if (topic.startsWith(INSTRUMENT_PREFIX)) this.move(entries)
    const audience = this.audience.of(topic)
    if (audience.empty) {
      this.cutStates.forget(topic)
      return
    }
    if (entries[0]!.previous === 0) this.deliverReborn(topic, dirty)
    const views = [...audience.views()]
    this.conflator.add(topic, entries, views)
    const whole = views.find(isWhole)
    if (whole === undefined) return
    const bytes = new TopicBytes(this.encoders, encoder => entries.map(entry => encoder.entry(entry)))
    for (const subscriber of audience.members(whole)) {
      subscriber.deliver(bytes)
      dirty.add(subscriber)
    }
  }

  /**
   * PROTOCOL.md, Terms: after a resume whose position was lost, a topic that the log did not have gets a reset
   * before its first message. Topics that were named got theirs at once.
   */
  private deliverReborn (topic: string, dirty: Set<Subscriber>): void {
    const reset = new TopicBytes(this.encoders, encoder => [encoder.reset(topic, 'epoch_changed')])
    for (const subscriber of this.audience.broadHolders(topic)) {
      if (!subscriber.lostTopics) continue
      subscriber.deliver(reset)
      this.counters.resets.epoch_changed++
      dirty.add(subscriber)
    }
  }

  /** Instruments change their sets one after another. */
  private move (entries: readonly Entry[]): void {
    const entry = entries.at(-1)!
    this.unmoved.add(entry)
    this.moving = this.moving.then(() => moveInstrument(this, JSON.parse(entry.payload) as Instrument))
      .catch((error: unknown) => { this.options.onError(error, 'an instrument could not be moved between sets') })
      .finally(() => {
        this.unmoved.delete(entry)
        this.moved()
      })
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
    if (this.changingEpoch === undefined) {
      this.flush()
      this.cursorText('')
    }
    this.sendPending(topic => this.log.shardOf(topic) === index)
    shard.flushed = Math.min(shard.flushed, next.start - 1)
    shard.epochs.push(next)
    // A change that is still under way gives up for this one, which then resets for both.
    const lost = this.passedOnBeyond(index, next.start)
    for (const topic of this.lost.get(index) ?? []) lost.add(topic)
    this.lost.set(index, lost)
    for (const topic of this.covered.keys()) if (this.log.shardOf(topic) === index) this.covered.delete(topic)
    shard.recent.truncate(next.start)
    const before = this.changingEpoch ?? Promise.resolve()
    const change = before
      .then(async () => { await changeEpoch(this, index, next.epoch, lost, (topic, upTo) => this.covered.set(topic, upTo)) })
      .catch((error: unknown) => { this.options.onError(error, 'a new epoch of the log could not be dealt with') })
      .finally(() => { if (this.changingEpoch === change) this.endEpochChange() })
    this.changingEpoch = change
  }

  private endEpochChange (): void {
    this.changingEpoch = undefined
    this.lost.clear()
    this.told = encodeEpoch(this.shards.map((_, shard) => this.epoch(shard)))
    this.moved()
    for (const subscriber of this.audience.everybody()) subscriber.epochChanged()
    this.flush()
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
    if (this.changingEpoch !== undefined) return
    this.position = undefined
    for (const frames of this.cursorFrames.values()) frames.clear()
  }

  private wake (): void {
    const waiting = this.waiting
    this.waiting = []
    for (const resolve of waiting) resolve()
  }
}

const INSTRUMENT_PREFIX = topicKey({ channel: instrumentsChannel.name, symbol: '' })
