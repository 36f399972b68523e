import {
  type ChannelDefinition, type Channels, encodeEpoch, parseTopicKey
} from '@tickwire/protocol'
import type { Entry, EpochStart, Log, TailBatch } from '../log/log.js'
import type { Counters } from '../metrics/counters.js'
import { Audience } from './audience/audience.js'
import { Conflator } from './conflation/conflator.js'
import { CutStates } from './conflation/cut-states.js'
import { Demand } from './audience/demand.js'
import { Directory } from './shards/directory.js'
import { passedOnBeyond } from './shards/epoch-change.js'
import { Failures } from './failures.js'
import { type Flushed, FlushWindow } from './flush-window.js'
import { Following } from './shards/following.js'
import type { Format } from './format.js'
import type { HubParts, ShardState } from './hub-parts.js'
import type { Interest } from './shards/interest.js'
import { InstrumentMoves } from './audience/instrument-moves.js'
import { isInstrumentTopic } from './shards/known-instruments.js'
import { LiveCursor } from './shards/live-cursor.js'
import { LogNotices } from './log-notice.js'
import { Membership } from './audience/membership.js'
import { NextTurn } from './next-turn.js'
import { deliverReborn } from './shards/reborn.js'
import { RECENT_SECONDS } from './shards/recent.js'
import { Restatements } from './shards/restatements.js'
import type { Selector } from './audience/selector.js'
import { deliverTo, flushAll, loseFor, type Subscriber, forEachSubscriber } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'
import { TurnBudget } from './turn-budget.js'
import { isWhole } from './conflation/view.js'

export interface HubOptions {
  readonly log: Log
  readonly channels: Channels
  /** Milliseconds over which messages are gathered into one write; 0: the next tick; `auto`: as the load demands. */
  readonly flushMs: number | 'auto'
  /** Bound of the recent entries, in all. */
  readonly recentBytes: number
  /** How long a shard is followed on when nobody needs it any more, in milliseconds; absent: half a minute. */
  readonly lingerMs?: number
  readonly counters: Counters
  readonly onError: (error: unknown, message: string) => void
}

/** What a node passes on, and how far: one ordering path from the log's tail to every subscriber. */
export class Hub implements HubParts {
  readonly log: Log
  readonly channels: Channels
  readonly counters: Counters
  readonly failures: Failures
  readonly directory: Directory
  readonly membership = new Membership()
  readonly audience = new Audience(this.membership)
  readonly demand = new Demand(this.membership)
  readonly cutStates = new CutStates()
  readonly shards: ShardState[] = []
  /** For what is done beside passing on. */
  readonly turns = new TurnBudget()

  readonly notices: LogNotices

  private readonly conflator: Conflator
  private pending = new Map<string, Entry[]>()
  private readonly window: FlushWindow
  private readonly restatements: Restatements
  /** The epochs that subscribers have been told of. */
  private announcedEpochs = ''
  private readonly moves: InstrumentMoves
  private readonly turn = new NextTurn()
  /** While topics are being restated it stays where it was: a client that is cut then still has its resets to come. */
  private readonly cursor = new LiveCursor(this.shards)
  private readonly following: Following
  private endWatch: (() => void) | undefined
  private closed = false
  private expiry: NodeJS.Timeout | undefined

  constructor (private readonly options: HubOptions) {
    this.log = options.log
    this.channels = options.channels
    this.counters = options.counters
    this.failures = new Failures(options.channels, options.counters, options.onError)
    this.directory = new Directory(this.failures)
    this.window = new FlushWindow(options.flushMs, () => this.flush())
    this.conflator = new Conflator(this, () => { this.sendDue() })
    const over = (): boolean => this.closed
    const report = (message: string) => (error: unknown): void => { options.onError(error, message) }
    this.restatements = new Restatements(this, { onEnd: () => { this.restated() }, onError: report('what the log has lost could not be told'), over })
    this.moves = new InstrumentMoves(this, { cursor: this.cursor, onMoved: () => { this.moved() }, onError: report('an instrument could not be moved between sets'), over })
    this.notices = new LogNotices(this, { passOn: () => { this.endWindow() }, over })
    this.following = new Following(this, {
      shards: this.shards,
      recentBytes: options.recentBytes / this.log.shards,
      lingerMs: options.lingerMs,
      onBatch: batch => { this.onBatch(batch) },
      passOn: () => { this.endWindow() },
      onChange: () => { this.othersFollowed() }
    })
  }

  async start (): Promise<void> {
    await this.following.start()
    for (const instrument of this.directory.instruments()) this.membership.set(instrument)
    this.endWatch = this.log.watch(available => { this.notices.change(available) })
    this.expiry = setInterval(() => {
      for (const { recent, time } of this.shards) recent.expire(time.now() - RECENT_SECONDS * 1000)
      this.conflator.sweep()
    }, 1000).unref()
  }

  close (): void {
    this.closed = true
    this.following.close()
    this.endWatch?.()
    clearInterval(this.expiry)
    this.conflator.close()
    this.window.cancel()
    this.turn.come()
  }

  channelOf (topic: string): ChannelDefinition | undefined {
    return this.channels.get(parseTopicKey(topic).channel)
  }

  /** Whether the log can be reached, as far as is known. */
  get logAvailable (): boolean {
    return this.notices.available
  }

  /** Who needs which shards: whoever looks at one holds it. */
  get interest (): Interest {
    return this.following.interest
  }

  /** Whether a topic ever had a message; of a shard that sleeps the log is asked. @throws ProtocolError `log_unavailable` */
  async hasTopic (topic: string): Promise<boolean> {
    const shard = this.shards[this.log.shardOf(topic)]!
    if (this.directory.last(topic) !== undefined) return true
    if (shard.isAwake) return false
    const { last } = await this.log.read(topic, { sequence: Number.MAX_SAFE_INTEGER }, 1)
    if (last !== undefined && !shard.isAwake) this.directory.note(topic, last)
    return last !== undefined
  }

  // ---- positions

  epoch (shard: number): number {
    return this.shards[shard]!.epochs.at(-1)!.epoch
  }

  /** The epochs of all shards as live subscribers see them: new ones once the resets that they cause have been sent. */
  epochText (): string {
    return this.announcedEpochs
  }

  /** The cursor of a subscriber that stands where the hub stands. @param marks of `encodeMarks` */
  cursorText (marks: string): string {
    return this.cursor.text(marks)
  }

  /** By shard, where live subscribers stand. */
  flushedOf (shards: readonly number[]): ReadonlyMap<number, number> {
    return new Map(shards.map(shard => [shard, this.shards[shard]!.flushed]))
  }

  cursorFrame (format: Format, marks: string): Buffer {
    return this.cursor.frame(format, marks)
  }

  /** See {@link LiveCursor.void}. */
  voidCursor (): string {
    return this.cursor.void()
  }

  /** Topics that all who are live were given by states that stand beyond what was passed on, and up to where. */
  get givenAhead (): ReadonlyMap<string, number> {
    return this.restatements.covered
  }

  /** The cursor of some offsets by shard, elsewhere where the hub stands, in the current epochs, without marks. */
  positionAt (offsets: ReadonlyMap<number, number>): string {
    return this.cursor.at(offsets)
  }

  /** Resolves after the next flush, when a new epoch has been dealt with, or when more has come meanwhile: the hub may stand elsewhere then. */
  advanced (): Promise<void> {
    return this.turn.wait()
  }

  /** Undefined while nothing is being dealt with: subscribers may only be attached then. */
  get epochChange (): Promise<void> | undefined {
    return this.restatements.underWay
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

  /** See {@link Conflator.lose}. */
  loseReduced (topic: string): void {
    this.conflator.lose(topic)
  }

  sendPending (concerned: (topic: string) => boolean): void {
    const dirty: Subscriber[] = []
    this.conflator.sendAll(concerned, dirty)
    flushAll(dirty)
  }

  // ---- the way of a message

  private onBatch (batch: TailBatch): void {
    const shard = this.shards[batch.shard]!
    if (batch.epoch.epoch !== shard.epochs.at(-1)!.epoch) this.beginEpoch(batch.shard, batch.epoch)
    if (batch.hole !== undefined) this.passHole(batch.shard, batch.hole)
    for (const entry of batch.entries) {
      if (entry.offset <= shard.received) continue
      shard.received = entry.offset
      shard.pending.push(entry)
      const entries = this.pending.get(entry.topic)
      if (entries === undefined) {
        this.pending.set(entry.topic, [entry])
      } else entries.push(entry)
      this.directory.add(entry)
    }
    if (batch.hole !== undefined) shard.received = Math.max(shard.received, batch.hole.upTo)
    const newest = batch.entries.at(-1)
    if (newest !== undefined) shard.time.hear(newest.timestamp)
    this.counters.received += batch.entries.length
    this.counters.batches++
    if (batch.entries.length > 0 && this.epochChange === undefined) this.window.schedule()
    if (this.epochChange !== undefined) this.turn.come()
  }

  private flush (): Flushed {
    const window = this.pending
    this.pending = new Map()
    this.moved()
    for (const shard of this.shards) {
      // Before a new epoch less counts as received than was passed on: a client has got what it has got.
      shard.flushed = Math.max(shard.flushed, shard.received)
      for (const entry of shard.pending) shard.recent.push(entry)
      shard.pending = []
    }
    this.conflator.beginWindow()
    const dirty: Subscriber[] = []
    let messages = 0
    for (const [topic, entries] of window) {
      const upTo = this.restatements.covered.get(topic)
      try {
        messages += this.deliverTopic(topic, upTo === undefined ? entries : entries.filter(entry => entry.offset > upTo), dirty)
      } catch (error) {
        this.failures.note(topic, 'deliver', error)
        this.conflator.lose(topic)
        loseFor(this.audience.of(topic).everybody(), topic)
      }
    }
    this.restatements.covered.clear()
    this.conflator.send(dirty)
    flushAll(dirty)
    if (dirty.length > 0) this.measure(window)
    this.turn.come()
    return { messages, writes: dirty.length }
  }

  /** The window ends early where a throttled topic is due, so that its last message does not wait for another turn. */
  private sendDue (): void {
    if (this.epochChange === undefined) {
      this.endWindow()
      return
    }
    const dirty: Subscriber[] = []
    this.conflator.send(dirty)
    flushAll(dirty)
  }

  private endWindow (): void {
    this.window.cancel()
    this.flush()
  }

  private measure (window: Map<string, Entry[]>): void {
    const now = this.shards.map(({ time }) => time.now())
    let longest = -Infinity
    for (const [first] of window.values()) longest = Math.max(longest, now[first!.shard]! - first!.timestamp)
    if (longest !== -Infinity) this.counters.onWindow(Math.max(0, longest))
  }

  /** @returns messages that were delivered as they are, over all subscribers */
  private deliverTopic (topic: string, entries: readonly Entry[], dirty: Subscriber[]): number {
    if (entries.length === 0) return 0
    if (isInstrumentTopic(topic)) this.moves.begin(entries.at(-1)!)
    const audience = this.audience.of(topic)
    if (audience.empty) {
      this.cutStates.forget(topic)
      return 0
    }
    if (entries[0]!.previous === 0) deliverReborn(this, topic, dirty)
    const views = audience.views()
    this.conflator.add(topic, entries, views)
    const whole = views.find(isWhole)
    if (whole === undefined) return 0
    const bytes = new TopicBytes(this, topic, writer => entries.map(entry => writer.data(entry)))
    let delivered = 0
    for (const subscriber of audience.members(whole)) {
      if (deliverTo(subscriber, bytes)) dirty.push(subscriber)
      delivered += entries.length
    }
    return delivered
  }

  private othersFollowed (): void {
    this.moved()
    if (this.epochChange === undefined) this.announceEpochs()
  }

  private beginEpoch (index: number, next: EpochStart): void {
    const shard = this.shards[index]!
    for (const [topic, entries] of this.pending) {
      if (this.log.shardOf(topic) !== index) continue
      const kept = entries.filter(entry => entry.offset < next.start)
      if (kept.length === 0) this.pending.delete(topic)
      else this.pending.set(topic, kept)
    }
    shard.pending = shard.pending.filter(entry => entry.offset < next.start)
    shard.received = Math.min(shard.received, next.start - 1)
    this.holdUp(index)
    shard.flushed = Math.min(shard.flushed, next.start - 1)
    shard.epochs.push(next)
    const lost = passedOnBeyond(this, index, next.start)
    this.restatements.uncover(index)
    shard.recent.truncate(next.start)
    this.restatements.begin(index, lost, 'epoch_changed')
    // Shards that sleep may be on the same machine.
    this.following.look()
  }

  /** The log has dropped messages before this node read them: their topics go on from their states. */
  private passHole (index: number, { upTo, lost }: NonNullable<TailBatch['hole']>): void {
    this.holdUp(index)
    this.shards[index]!.recent.restart(upTo)
    this.restatements.begin(index, lost, 'history_lost')
  }

  /** Passes on what came so far: what comes now waits until topics have been restated. */
  private holdUp (index: number): void {
    this.window.cancel()
    if (this.epochChange === undefined) {
      this.flush()
      this.cursorText('')
    }
    this.sendPending(topic => this.log.shardOf(topic) === index)
  }

  private restated (): void {
    this.moved()
    this.announceEpochs(true)
    this.flush()
    this.moves.settle()
  }

  /** @param resets whether somebody may be owed some */
  private announceEpochs (resets = false): void {
    const before = this.announcedEpochs
    this.announcedEpochs = encodeEpoch(this.shards.map((_, shard) => this.epoch(shard)))
    const isNew = this.announcedEpochs !== before
    if (isNew || resets) forEachSubscriber(this.audience.everybody(), subscriber => { subscriber.restated(isNew) })
  }

  /** The hub stands elsewhere. */
  private moved (): void {
    if (this.epochChange === undefined) this.cursor.moved()
  }
}
