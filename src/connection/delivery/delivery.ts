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
import type { Outlet } from './outlet.js'
import { Subscriptions } from './subscriptions.js'

/** How many messages a catch-up writes at a time: enough to be worth a write, few enough to be read soon. */
export const PAGE_MESSAGES = 500

/**
 * What one client is sent of what it subscribes to, and how far. A client that reads too slowly, or is owed what the log
 * holds of a topic, leaves live delivery where the hub stands then: nothing is kept for it but a bookmark. As it reads,
 * it is caught up from the log, and is live again (ADR 16, ADR 30).
 */
export class Delivery implements Subscriber {
  readonly format: Format
  readonly subscriptions: Subscriptions
  readonly cursor: DeliveryCursor
  settledAt = 0

  private readonly hub: Hub
  private readonly state = new DeliveryState()
  private window: Buffer[] = []
  /** Whether a catch-up from the bookmark runs. */
  private recovers = false
  /** Messages that were passed on since the system last had taken everything. */
  private passedOn = 0
  /** How many notices the hub had announced when the client left live delivery. */
  private noticesAnnounced = 0

  constructor (private readonly outlet: Outlet, private readonly options: DeliveryOptions) {
    this.hub = options.hub
    this.format = options.format
    this.subscriptions = new Subscriptions(options.hub, this, options.maxSubscriptions)
    this.cursor = new DeliveryCursor(this.state, this.subscriptions, outlet, options)
  }

  /** Whether everything that is subscribed to is sent as it comes. */
  get isLive (): boolean {
    return this.state.isLive
  }

  get lostTopics (): number | undefined {
    return this.cursor.lostTopics
  }

  // ---- live

  deliver (bytes: TopicBytes): boolean {
    const buffer = bytes.as(this.format)
    if (!this.outlet.knownAtOnce && this.window.length === 0 && this.outlet.unsent === 0) this.passedOn = 0
    this.outlet.counters.messages += bytes.messages
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
    const { unsent, enough, knownAtOnce } = this.outlet
    if (unsent === 0) this.passedOn = 0
    else if (unsent > enough && knownAtOnce) this.lag()
    else if (unsent > enough) setImmediate(() => { this.attempt(() => { if (this.outlet.isFull) this.lag() }) })
  }

  /** A live client stays live until everything that was lost has been dealt with, and leaves where the hub stands then. */
  requireReset (topics: Iterable<string>, reason: ResetReason): void {
    const had = this.state.pendingWhileLive.size > 0
    this.state.requireResets(topics, reason)
    if (this.state.pendingWhileLive.size === 0) return
    if (this.hub.epochChange === undefined) this.leaveLive()
    else if (!had && this.cursor.pendingSince !== undefined) this.outlet.write([this.cursor.beforeResets()])
  }

  /** A window may be under way: the client leaves behind it, from where the hub stands then. */
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
    else if (newEpoch) this.tellEpoch()
  }

  private tellEpoch (): void {
    // A catch-up under way tells of the epoch itself, behind its resets.
    if (this.cursor.catchUp === undefined) this.sendEpoch(this.hub.epochText())
    this.cursor.require(Date.now())
    // Until then, what was given in place of what is lost may be ahead of the hub.
    void this.hub.advanced().then(() => {
      this.attempt(() => { if (this.cursor.pendingSince !== undefined) this.cursor.send() })
    })
  }

  /** Sends what is throttled and waits: after it, a live client stands where the hub stands. */
  settle (): void {
    this.hub.settle(this, this.subscriptions.reduced)
    this.outlet.write(this.window.splice(0))
  }

  fail (error: unknown): void {
    this.options.onFailure(error)
  }

  /** Does something in a turn of its own: nobody else would hear that it failed. */
  private attempt (work: () => void): void {
    try {
      work()
    } catch (error) {
      this.fail(error)
    }
  }

  // ---- what is subscribed to

  selection (): Selection {
    return this.subscriptions.selection()
  }

  /** Live delivery of some selectors begins with the next window. One that was there changes its options. */
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

  /** The wire is gone. */
  close (): void {
    if (this.state.name === 'lagging') this.outlet.counters.lagging--
    this.state.close()
    this.cursor.pendingSince = undefined
    this.subscriptions.detach(this.subscriptions.selectors())
  }

  /**
   * Sends what a subscribe begins with, slice by slice as fast as the client reads, then hands over to live delivery. It
   * waits while the rest is not live.
   * @param coming what will be live then
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
      // Whatever was waited for, the wire may be gone since: nothing would ever take it off the hub again.
      while (this.outlet.isOpen) {
        if (this.isLive && this.join(catchUp, joinLive, first)) return
        const slice = await catchUp.next(this.options.pageMessages)
        this.sendSlice(slice)
        // PROTOCOL.md, Control: one at once after the snapshots, then at most once a second.
        if (slice.messages.length > 0 && this.cursor.sendIfDue(first)) first = false
        await this.outlet.until(() => this.isLive && !this.outlet.isFull)
        await catchUp.prepareToJoin()
      }
    } catch (error) {
      // The client was told that it has this: it comes back with its cursor for what it was not sent.
      this.fail(error)
    } finally {
      this.cursor.catchUp = undefined
      this.subscriptions.expect([])
    }
  }

  // ---- a client that is not live

  /** The client reads too slowly: its window has been written, and it leaves live delivery. */
  private lag (): void {
    // In the middle of a new epoch the hub stands nowhere that could be named: a later window will do.
    if (!this.isLive || !this.outlet.isOpen || this.hub.epochChange !== undefined) return
    this.outlet.counters.lagging++
    this.outlet.counters.lags++
    this.outlet.send({ type: 'lagging', behind: Math.max(1, this.passedOn) })
    this.passedOn = 0
    this.goOnFrom(this.bookmarkHere(), 'lagging')
  }

  private leaveLive (epochPending = false): void {
    if (this.isLive && this.outlet.isOpen) this.goOnFrom({ ...this.bookmarkHere(), epochPending }, 'catching_up')
  }

  private bookmarkHere (): Bookmark {
    const { shards, reducedChannels } = this.subscriptions
    return bookmarkHere(this.hub, shards, this.lostTopics, reducedChannels)
  }

  private goOnFrom (bookmark: Bookmark, name: 'catching_up' | 'lagging'): void {
    this.state.leave(bookmark, name)
    this.noticesAnnounced = this.hub.notices.announced
    this.subscriptions.leave()
    void this.recover().catch(this.options.onFailure)
  }

  private async recover (): Promise<void> {
    if (this.recovers) return
    this.recovers = true
    try {
      while (this.outlet.isOpen && this.state.bookmark !== undefined) {
        await this.outlet.until(() => !this.outlet.isFull)
        if (this.outlet.isOpen) await this.readOn(this.state.bookmark)
      }
    } finally {
      this.recovers = false
    }
  }

  /** Sends what comes after the bookmark, until the client is live, has more than it reads, or stands elsewhere. */
  private async readOn (start: Bookmark): Promise<void> {
    let place = start
    const catchUp = await CatchUp.open(this.hub, this.selection(), { from: 'bookmark', bookmark: place }, {
      snapshots: true, writer: this.format, dropped: 'lagging'
    })
    const goesOn = (): boolean => this.outlet.isOpen && this.state.bookmark === place
    try {
      while (goesOn()) {
        if (this.join(catchUp, () => { this.rejoin() }, false)) return
        const slice = await catchUp.next(this.options.pageMessages)
        if (!goesOn()) return
        this.sendSlice(slice)
        place = catchUp.bookmark(this.subscriptions.reducedChannels)
        this.state.moveTo(place)
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
    this.subscriptions.join()
    this.hub.notices.announceMissed(this, this.noticesAnnounced)
    this.cursor.updateMarks()
    if (lagged) {
      this.outlet.counters.lagging--
      this.outlet.send({ type: 'lagging', behind: 0 })
    }
    this.outlet.wake()
  }

  // ---- what a catch-up says

  /** @returns whether everything was sent, and the client is live */
  private join (catchUp: CatchUp, joinLive: () => void, first: boolean): boolean {
    const rest = catchUp.join(this.options.pageMessages)
    if (rest === undefined) return false
    // What waits of topics whose state comes now must come before it.
    this.settle()
    this.outlet.sendWritten(rest)
    this.cursor.noteLostTopics(catchUp.lostTopics)
    joinLive()
    if (rest.length > 0) this.cursor.require(Date.now())
    this.cursor.sendIfDue(first)
    return true
  }

  private sendSlice ({ voids, states, newEpoch, messages }: Slice): void {
    if (voids) this.outlet.write([this.cursor.void()])
    this.outlet.sendWritten(states)
    if (newEpoch !== undefined) this.sendEpoch(newEpoch)
    this.outlet.sendWritten(messages)
    if (states.length + messages.length > 0) this.cursor.require(Date.now())
  }

  private sendEpoch (epoch: string): void {
    this.outlet.send({ type: 'epoch', epoch })
  }
}
