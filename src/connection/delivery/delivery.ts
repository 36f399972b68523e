import type { ResetReason } from '@tickwire/protocol'
import type { Selection, Selector } from '../../hub/audience/selector.js'
import { type Bookmark, bookmarkHere } from '../../hub/catch-up/bookmark.js'
import { CatchUp, type Slice } from '../../hub/catch-up/catch-up.js'
import type { Format } from '../../hub/format.js'
import type { Hub } from '../../hub/hub.js'
import type { Subscriber } from '../../hub/subscriber.js'
import type { TopicBytes } from '../../hub/topic-bytes.js'
import { DeliveryCursor } from './delivery-cursor.js'
import type { DeliveryOptions } from './delivery-options.js'
import { DeliveryState } from './delivery-state.js'
import type { StreamState } from '../connection-ledger.js'
import type { Outlet } from './outlet.js'
import { Subscriptions } from './subscriptions.js'

/** How many messages a catch-up writes at a time: enough to be worth a write, few enough to be read soon. */
export const PAGE_MESSAGES = 500

/**
 * Sends one client what it subscribes to, and knows how far. If a client reads too slowly, or if a retained
 * history is pending for it, it leaves live delivery where the hub stands, and the server keeps nothing for
 * it but a bookmark. As the client reads, a catch-up sends it what follows from the log, until it is live
 * again (ADR 16, ADR 30).
 */
export class Delivery implements Subscriber {
  readonly format: Format
  readonly subscriptions: Subscriptions
  readonly cursor: DeliveryCursor
  settledAt = 0
  /**
   * By shard, the epochs in which the client was first sent a state beside its subscriptions. It may still
   * have such states. Undefined if it was sent none.
   */
  heldEpochs: readonly number[] | undefined

  private readonly hub: Hub
  private readonly state = new DeliveryState()
  private window: Buffer[] = []
  /** Whether {@link recover} runs. */
  private isRecovering = false
  /** How many messages were passed on since the system last had taken everything. */
  private passedOn = 0
  /** How many notices the hub had announced when the client left live delivery. */
  private noticesAnnounced = 0

  constructor (private readonly outlet: Outlet, private readonly options: DeliveryOptions) {
    this.hub = options.hub
    this.format = options.format
    this.subscriptions = new Subscriptions(options.hub, this, options.maxSubscriptions)
    this.cursor = new DeliveryCursor(this.state, this.subscriptions, outlet, options)
  }

  /** Whether the client gets everything that it subscribes to as it comes. */
  get isLive (): boolean {
    return this.state.isLive
  }

  /** What the client gets now, for operators. */
  get streamState (): Exclude<StreamState, 'polling'> {
    const { name } = this.state
    if (name === 'lagging') return name
    return this.isLive && this.cursor.catchUp === undefined ? 'live' : 'catching_up'
  }

  get lostTopics (): number | undefined {
    return this.cursor.lostTopics
  }

  // ---- live

  deliver (bytes: TopicBytes): boolean {
    const buffer = bytes.as(this.format)
    // A dialect of one connection may have nothing to say of a message.
    if (buffer.length === 0) return false
    if (!this.outlet.knownAtOnce && this.window.length === 0 && this.outlet.unsent === 0) this.passedOn = 0
    this.outlet.countMessages(bytes.messages)
    bytes.sent.messages += bytes.messages
    bytes.sent.bytes += buffer.length
    if (bytes.reset !== undefined) this.outlet.record.noteReset(bytes.reset)
    this.passedOn += bytes.messages
    return this.window.push(buffer) === 1
  }

  flush (now: number): void {
    const buffers = this.window
    this.window = []
    if (!this.outlet.isOpen) return
    if (this.hub.epochChange !== undefined && this.cursor.pendingSince !== undefined) {
      buffers.unshift(this.cursor.beforeResets())
    }
    const cursor = this.cursor.takeForFlush(now)
    if (cursor !== undefined) buffers.push(cursor)
    this.outlet.write(buffers, now)
    const { unsent, maxUnsent, knownAtOnce } = this.outlet
    if (unsent === 0) this.passedOn = 0
    else if (unsent > maxUnsent && knownAtOnce) this.lag()
    else if (unsent > maxUnsent) this.lagIfStillFull()
  }

  /** Looks again in the next turn, if the transport cannot know in this one how much is unsent. */
  private lagIfStillFull (): void {
    setImmediate(() => { this.attempt(() => { if (this.outlet.isFull) this.lag() }) })
  }

  /**
   * Makes a reset pending for some topics. During a new epoch the client stays live until the hub has dealt
   * with everything that was lost. Then it leaves live delivery where the hub stands.
   */
  requireReset (topics: Iterable<string>, reason: ResetReason): void {
    const hadPending = this.state.pendingWhileLive.size > 0
    this.state.requireResets(topics, reason)
    if (this.state.pendingWhileLive.size === 0) return
    if (this.hub.epochChange === undefined) {
      this.leaveLive()
    } else if (!hadPending && this.cursor.pendingSince !== undefined) {
      this.outlet.write([this.cursor.beforeResets()])
    }
  }

  /**
   * Makes a reset pending for a topic of which a message could not be passed on. A window may be under way:
   * the client leaves live delivery after it.
   */
  lose (topic: string): void {
    this.state.requireReplacement(topic)
    if (!this.isLive) return
    queueMicrotask(() => {
      this.attempt(() => {
        if (this.state.pendingWhileLive.size > 0 && this.hub.epochChange === undefined) this.leaveLive()
      })
    })
  }

  restated (newEpoch: boolean): void {
    if (this.state.pendingWhileLive.size > 0) this.leaveLive(newEpoch)
    else if (newEpoch) this.announceEpoch()
  }

  private announceEpoch (): void {
    // A catch-up that runs announces the epoch itself, after its resets.
    if (this.cursor.catchUp === undefined) this.sendEpoch(this.hub.epochText())
    this.cursor.require(Date.now())
    // Until the hub has advanced, the states that replaced lost messages may be ahead of it.
    void this.hub.advanced().then(() => {
      this.attempt(() => { if (this.cursor.pendingSince !== undefined) this.cursor.send() })
    })
  }

  /** Sends what is pending of throttled topics. After that, a live client stands where the hub stands. */
  settle (): void {
    this.hub.settle(this, this.subscriptions.reduced)
    this.outlet.write(this.window.splice(0))
  }

  fail (error: unknown): void {
    this.options.onFailure(error)
  }

  /** Calls a function in a turn of its own. If it throws, nobody else would notice, so the delivery fails. */
  private attempt (work: () => void): void {
    try {
      work()
    } catch (error) {
      this.fail(error)
    }
  }

  /** Notes that the client is sent states beside its subscriptions. */
  noteHeld (): void {
    this.heldEpochs ??= this.hub.shards.map((_, shard) => this.hub.epoch(shard))
  }

  // ---- what is subscribed to

  selection (): Selection {
    return this.subscriptions.selection()
  }

  /** Begins live delivery of some selectors. A selector that was there gets its new options. */
  attach (selectors: readonly Selector[]): void {
    this.settle()
    this.subscriptions.attach(selectors)
    this.cursor.updateMarks()
  }

  detach (selectors: readonly Selector[]): void {
    this.settle()
    this.subscriptions.detach(selectors)
    this.cursor.updateMarks()
    this.state.renewBookmark()
  }

  /** Ends the delivery, because the wire is gone. */
  close (): void {
    if (this.state.name === 'lagging') this.outlet.counters.lagging--
    this.state.close()
    this.cursor.pendingSince = undefined
    this.subscriptions.detach(this.subscriptions.selectors())
  }

  /**
   * Sends the catch-up of a subscribe, slice by slice as fast as the client reads, then hands over to live
   * delivery. Waits while the other subscriptions of the client are not live.
   * @param coming the selectors of the subscribe, which are live in the end
   */
  async follow (catchUp: CatchUp, coming: readonly Selector[]): Promise<void> {
    this.cursor.catchUp = catchUp
    this.subscriptions.expect(coming)
    const { counters } = this.outlet
    if (catchUp.resumes) counters.resumes++
    else counters.fresh++
    const joinLive = (): void => {
      this.cursor.catchUp = undefined
      this.attach(coming)
    }
    try {
      let first = true
      // The wire may have gone during a wait. A subscriber that joined after that would stay with the hub.
      while (this.outlet.isOpen) {
        if (this.isLive && this.join(catchUp, joinLive, first)) return
        const slice = await catchUp.next(this.options.pageMessages)
        this.sendSlice(slice, catchUp)
        // PROTOCOL.md, Control: one at once after the snapshots, then at most one a second.
        if (slice.messages.length > 0 && this.cursor.sendIfDue(first)) first = false
        await this.outlet.waitUntil(() => this.isLive && !this.outlet.isFull)
        await catchUp.prepareToJoin()
      }
    } catch (error) {
      // The subscribe has been confirmed, so it cannot be refused: the client resumes with its last cursor.
      this.fail(error)
    } finally {
      this.cursor.catchUp = undefined
      this.subscriptions.expect([])
    }
  }

  // ---- a client that is not live

  /** Leaves live delivery after a window that was written, because the client reads too slowly. */
  private lag (): void {
    // During a new epoch the hub does not stand at a position, so the client leaves after a later window.
    if (!this.isLive || !this.outlet.isOpen || this.hub.epochChange !== undefined) return
    this.outlet.counters.lagging++
    this.outlet.counters.lags++
    this.outlet.record.note({ event: 'lag' })
    this.outlet.send({ type: 'lagging', behind: Math.max(1, this.passedOn) })
    this.passedOn = 0
    this.startCatchUpFrom(this.bookmarkHere(), 'lagging')
  }

  private leaveLive (epochPending = false): void {
    if (!this.isLive || !this.outlet.isOpen) return
    this.startCatchUpFrom({ ...this.bookmarkHere(), epochPending }, 'catching_up')
  }

  private bookmarkHere (): Bookmark {
    const { shards, reducedChannels } = this.subscriptions
    return bookmarkHere(this.hub, shards, this.lostTopics, reducedChannels)
  }

  private startCatchUpFrom (bookmark: Bookmark, name: 'catching_up' | 'lagging'): void {
    this.state.leave(bookmark, name)
    this.noticesAnnounced = this.hub.notices.announced
    this.subscriptions.leaveLive()
    void this.recover().catch(this.options.onFailure)
  }

  /** Runs catch-ups from the bookmark, each as soon as the client has read, until the client is live. */
  private async recover (): Promise<void> {
    if (this.isRecovering) return
    this.isRecovering = true
    try {
      while (this.outlet.isOpen && this.state.bookmark !== undefined) {
        await this.outlet.waitUntil(() => !this.outlet.isFull)
        if (this.outlet.isOpen) await this.catchUpFrom(this.state.bookmark)
      }
    } finally {
      this.isRecovering = false
    }
  }

  /**
   * Sends what comes after a bookmark, until the client is live, has more unsent than it reads, or its
   * bookmark was moved by something else.
   */
  private async catchUpFrom (start: Bookmark): Promise<void> {
    let bookmark = start
    const catchUp = await CatchUp.open(this.hub, this.selection(), { from: 'bookmark', bookmark }, {
      snapshots: true, writer: this.format, dropped: 'lagging'
    })
    const isCurrent = (): boolean => this.outlet.isOpen && this.state.bookmark === bookmark
    try {
      while (isCurrent()) {
        if (this.join(catchUp, () => { this.rejoin() }, false)) return
        const slice = await catchUp.next(this.options.pageMessages)
        if (!isCurrent()) return
        this.sendSlice(slice, catchUp)
        bookmark = catchUp.bookmark(this.subscriptions.reducedChannels)
        this.state.moveTo(bookmark)
        if (slice.messages.length > 0) this.cursor.sendIfDue()
        if (this.outlet.isFull) return
        await catchUp.prepareToJoin()
      }
    } finally {
      catchUp.close()
    }
  }

  private rejoin (): void {
    const lagged = this.state.name === 'lagging'
    this.state.goLive()
    this.subscriptions.rejoinLive()
    this.hub.notices.announceMissed(this, this.noticesAnnounced)
    this.cursor.updateMarks()
    if (lagged) {
      this.outlet.counters.lagging--
      this.outlet.record.note({ event: 'catch_up_end' })
      this.outlet.send({ type: 'lagging', behind: 0 })
    }
    this.outlet.wake()
  }

  // ---- what a catch-up sends

  /**
   * Sends the rest of a catch-up and joins live delivery in the same tick, if the rest is small enough.
   * Returns whether it did.
   * @param first whether the subscribe had no cursor yet: then one goes out at once
   */
  private join (catchUp: CatchUp, joinLive: () => void, first: boolean): boolean {
    const rest = catchUp.join(this.options.pageMessages)
    if (rest === undefined) return false
    // What is pending of throttled topics must come before the states of the same topics.
    this.settle()
    this.outlet.sendWritten(rest)
    this.noteResets(catchUp)
    this.cursor.noteLostTopics(catchUp.lostTopics)
    joinLive()
    if (rest.length > 0) this.cursor.require(Date.now())
    this.cursor.sendIfDue(first)
    return true
  }

  private sendSlice ({ voids, states, newEpoch, messages }: Slice, catchUp: CatchUp): void {
    this.noteResets(catchUp)
    if (voids) this.outlet.write([this.cursor.void()])
    this.outlet.sendWritten(states)
    if (newEpoch !== undefined) this.sendEpoch(newEpoch)
    this.outlet.sendWritten(messages)
    if (states.length + messages.length > 0) this.cursor.require(Date.now())
  }

  private noteResets (catchUp: CatchUp): void {
    for (const [reason, topics] of catchUp.takeResets()) this.outlet.record.noteReset(reason, topics)
  }

  private sendEpoch (epoch: string): void {
    this.outlet.send({ type: 'epoch', epoch })
  }
}
