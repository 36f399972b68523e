import {
  type ChannelDefinition, type Channels, decodeEpoch, encodeEpoch, parseTopicKey
} from '@tickwire/protocol'
import type { Entry, EpochStart, Log, TailBatch } from '../log/log.js'
import type { Counters } from '../metrics/counters.js'
import { Audience } from './audience/audience.js'
import { Conflator } from './conflation/conflator.js'
import { CutStates } from './conflation/cut-states.js'
import { Demand } from './audience/demand.js'
import { Directory } from './shards/directory.js'
import { topicsPassedOnFrom } from './shards/epoch-change.js'
import { Failures } from './failures.js'
import { FanOut } from './fan-out.js'
import { type Flushed, FlushWindow } from './flush-window.js'
import { Following } from './shards/following.js'
import type { Format } from './format.js'
import type { HubParts, ShardState } from './hub-parts.js'
import type { Interest } from './shards/interest.js'
import { InstrumentMoves } from './audience/instrument-moves.js'
import { LiveCursor } from './shards/live-cursor.js'
import { LogNotices } from './log-notice.js'
import { Membership } from './audience/membership.js'
import { NextTurn } from './next-turn.js'
import { RECENT_SECONDS } from './shards/recent.js'
import { Restatements } from './shards/restatements.js'
import type { Selector } from './audience/selector.js'
import { flushAll, type Subscriber, forEachSubscriber } from './subscriber.js'
import { TurnBudget } from './turn-budget.js'

export interface HubOptions {
  readonly log: Log
  readonly channels: Channels
  /** How many milliseconds to gather messages for one write; 0: until the next tick; `auto`: by the load. */
  readonly flushMs: number | 'auto'
  /** Bound of the recent entries of all shards together, in bytes. */
  readonly recentBytes: number
  /** How long a shard that nobody needs is still followed, in milliseconds; absent: half a minute. */
  readonly lingerMs?: number
  readonly counters: Counters
  readonly onError: (error: unknown, message: string) => void
}

/**
 * Passes entries of the log on to the subscribers of this node, on one path in one order from the log's tail
 * to every subscriber; and says how far it has come.
 */
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
  /** Bounds the time of work other than live delivery. */
  readonly turns = new TurnBudget()
  readonly notices: LogNotices

  private readonly conflator: Conflator
  private readonly fanOut: FanOut
  /** By topic, the entries that have been received and not passed on. */
  private pending = new Map<string, Entry[]>()
  private readonly window: FlushWindow
  private readonly restatements: Restatements
  /** The epochs that subscribers know. */
  private announcedEpochs = ''
  private readonly moves: InstrumentMoves
  private readonly turn = new NextTurn()
  /** Does not move while topics are being restated: a client that resumes from it gets their resets. */
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
    const isClosed = (): boolean => this.closed
    const report = (message: string) => (error: unknown): void => { options.onError(error, message) }
    this.restatements = new Restatements(this, {
      onEnd: () => { this.endRestatements() },
      onError: report('topics that lost messages could not be restated: their subscribers get a reset'),
      isClosed
    })
    this.moves = new InstrumentMoves(this, {
      cursor: this.cursor,
      onMoved: () => { this.invalidateCursor() },
      onError: report('an instrument could not be moved between sets'),
      isClosed
    })
    this.fanOut = new FanOut(this, this.conflator, this.moves)
    this.notices = new LogNotices(this, { passOn: () => { this.endWindow() }, isClosed })
    this.following = new Following(this, {
      shards: this.shards,
      recentBytes: options.recentBytes / this.log.shards,
      lingerMs: options.lingerMs,
      onBatch: batch => { this.onBatch(batch) },
      passOn: () => { this.endWindow() },
      onChange: () => { this.noteFollowing() }
    })
  }

  /** @throws ProtocolError `log_unavailable` */
  async start (): Promise<void> {
    await this.following.start()
    for (const instrument of this.directory.instruments()) this.membership.set(instrument)
    this.endWatch = this.log.watch(available => { this.notices.setAvailable(available) })
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

  /** Keeps shards awake: a caller that needs a shard must follow or retain it. */
  get interest (): Interest {
    return this.following.interest
  }

  /**
   * Returns whether a topic ever had a message. For a topic of a sleeping shard it asks the log.
   * @throws ProtocolError `log_unavailable`
   */
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

  /** Returns the epochs that live subscribers know, of all shards: a new one only after its resets. */
  epochText (): string {
    return this.announcedEpochs
  }

  /** Returns {@link epochText} for an answer that was read in another epoch of one shard. */
  epochTextWith (shard: number, epoch: number): string {
    const known = decodeEpoch(this.announcedEpochs)!
    return encodeEpoch(known.map((announced, index) => index === shard ? epoch : announced))
  }

  /** Returns the cursor of a live subscriber. @param marks of `encodeMarks` */
  cursorText (marks: string): string {
    return this.cursor.text(marks)
  }

  /** Returns by shard the offset at which live subscribers stand. */
  flushedOf (shards: readonly number[]): ReadonlyMap<number, number> {
    return new Map(shards.map(shard => [shard, this.shards[shard]!.flushed]))
  }

  /** Returns {@link cursorText} in a format, made once for all who read it. */
  cursorFrame (format: Format, marks: string): Buffer {
    return this.cursor.frame(format, marks)
  }

  /** See {@link LiveCursor.void}. */
  voidCursor (): string {
    return this.cursor.void()
  }

  /**
   * By topic, the offset of a state that live subscribers were sent, if it lies beyond what was passed on.
   */
  get givenAhead (): ReadonlyMap<string, number> {
    return this.restatements.covered
  }

  /** See {@link LiveCursor.at}. */
  positionAt (offsets: ReadonlyMap<number, number>): string {
    return this.cursor.at(offsets)
  }

  /**
   * Resolves when the hub may stand elsewhere: after the next flush, and, while topics are being restated,
   * when the next entries have been received.
   */
  advanced (): Promise<void> {
    return this.turn.wait()
  }

  /**
   * Resolves when topics have been restated. Undefined while none are: subscribers may only be attached then.
   */
  get epochChange (): Promise<void> | undefined {
    return this.restatements.underWay
  }

  // ---- subscribers

  /** Attaches a selector. A subscriber that already has throttled topics must have been settled. */
  attach (subscriber: Subscriber, selector: Selector): void {
    this.audience.attach(subscriber, selector)
  }

  detach (subscriber: Subscriber, selector: Selector): void {
    this.audience.detach(subscriber, selector)
  }

  /**
   * Delivers the throttled messages that are pending for a subscriber. Called before its subscriptions
   * change, and before it is sent a state that contains those messages.
   * @param isReduced whether some of its subscriptions are throttled or cut
   */
  settle (subscriber: Subscriber, isReduced: boolean): void {
    this.conflator.settle(subscriber, isReduced)
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
    if (batch.epoch.epoch !== shard.epochs.at(-1)!.epoch) this.enterEpoch(batch.shard, batch.epoch)
    if (batch.hole !== undefined) this.skipHole(batch.shard, batch.hole)
    for (const entry of batch.entries) {
      if (entry.offset <= shard.received) continue
      shard.received = entry.offset
      shard.pending.push(entry)
      const entries = this.pending.get(entry.topic)
      if (entries === undefined) this.pending.set(entry.topic, [entry])
      else entries.push(entry)
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
    this.invalidateCursor()
    for (const shard of this.shards) {
      // When a new epoch begins, `received` goes back before this flush. What was passed on stays so.
      shard.flushed = Math.max(shard.flushed, shard.received)
      for (const entry of shard.pending) shard.recent.push(entry)
      shard.pending = []
    }
    this.conflator.beginWindow()
    const dirty: Subscriber[] = []
    const messages = this.fanOut.deliver(window, this.restatements.covered, dirty)
    this.restatements.covered.clear()
    this.conflator.sendDue(dirty)
    flushAll(dirty)
    if (dirty.length > 0) this.fanOut.countDelay(window)
    this.turn.come()
    return { messages, writes: dirty.length }
  }

  /**
   * Sends throttled topics that are due. It ends the window early for that, so that the last message of the
   * topic does not wait for another turn; but not while topics are being restated.
   */
  private sendDue (): void {
    if (this.epochChange === undefined) {
      this.endWindow()
      return
    }
    const dirty: Subscriber[] = []
    this.conflator.sendDue(dirty)
    flushAll(dirty)
  }

  private endWindow (): void {
    this.window.cancel()
    this.flush()
  }

  private noteFollowing (): void {
    this.invalidateCursor()
    if (this.epochChange === undefined) this.announceEpochs()
  }

  // ---- losses

  private enterEpoch (index: number, next: EpochStart): void {
    const shard = this.shards[index]!
    for (const [topic, entries] of this.pending) {
      if (this.log.shardOf(topic) !== index) continue
      const kept = entries.filter(entry => entry.offset < next.start)
      if (kept.length === 0) this.pending.delete(topic)
      else this.pending.set(topic, kept)
    }
    shard.pending = shard.pending.filter(entry => entry.offset < next.start)
    shard.received = Math.min(shard.received, next.start - 1)
    this.stopPassingOn(index)
    shard.flushed = Math.min(shard.flushed, next.start - 1)
    shard.epochs.push(next)
    const lost = topicsPassedOnFrom(this, index, next.start)
    this.restatements.uncover(index)
    shard.recent.truncate(next.start)
    this.restatements.enqueue(index, lost, 'epoch_changed')
    // A machine that has lost one shard's messages may have sleeping shards, too.
    this.following.readSleepingEpochs()
  }

  /** Goes on after messages that the log dropped before this node read them: their topics are restated. */
  private skipHole (index: number, { upTo, lost }: NonNullable<TailBatch['hole']>): void {
    this.stopPassingOn(index)
    this.shards[index]!.recent.restart(upTo)
    this.restatements.enqueue(index, lost, 'history_lost')
  }

  /** Passes on the entries received so far. Those that come now wait until topics have been restated. */
  private stopPassingOn (index: number): void {
    this.window.cancel()
    if (this.epochChange === undefined) {
      this.flush()
      // Makes the cursor now: it stays at this position until topics have been restated.
      this.cursorText('')
    }
    this.sendPending(topic => this.log.shardOf(topic) === index)
  }

  private endRestatements (): void {
    this.invalidateCursor()
    this.announceEpochs(true)
    this.flush()
    this.moves.settle()
  }

  /** @param resets whether topics were restated, so that subscribers may have pending resets */
  private announceEpochs (resets = false): void {
    const before = this.announcedEpochs
    this.announcedEpochs = encodeEpoch(this.shards.map((_, shard) => this.epoch(shard)))
    const isNew = this.announcedEpochs !== before
    if (!isNew && !resets) return
    forEachSubscriber(this.audience.everybody(), subscriber => { subscriber.restated(isNew) })
  }

  private invalidateCursor (): void {
    if (this.epochChange === undefined) this.cursor.invalidate()
  }
}
