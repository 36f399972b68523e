import type { ResetReason } from '@tickwire/protocol'
import { type Bookmark, bookmarkHere, offsetsOf } from '../hub/catch-up/bookmark.js'
import { CatchUp, type Slice } from '../hub/catch-up/catch-up.js'
import type { Format } from '../hub/frame.js'
import type { Hub } from '../hub/hub.js'
import { voidsCursors, type PendingState, withLoss, withResets } from '../hub/catch-up/pending.js'
import { leastOf } from '../hub/catch-up/plan.js'
import type { Selection, Selector } from '../hub/audience/selector.js'
import type { Subscriber } from '../hub/subscriber.js'
import type { TopicBytes } from '../hub/topic-bytes.js'
import type { CursorReader } from './connections.js'
import type { DeliveryOptions } from './delivery-options.js'
import type { Outlet } from './outlet.js'
import { Subscriptions } from './subscriptions.js'

/** Long enough to be worth a write, short enough to be read soon. */
export const PAGE_MESSAGES = 500
/** PROTOCOL.md, Control: at most one cursor in this time, where they do not go with each flush. */
const CURSOR_INTERVAL_MS = 1000

/**
 * What a client is sent of what it subscribes to, and how far. It is live, or it has a bookmark: one that reads too slowly, or is
 * owed what the log holds of a topic, leaves live delivery where the hub stands then, and nothing is kept for it but the place.
 * As it reads, it is caught up from the log, and is live again (ADR 16, ADR 30).
 */
export class Delivery implements Subscriber, CursorReader {
  readonly format: Format
  lostTopics: number | undefined
  settledAt = 0
  cursorPendingSince: number | undefined
  readonly subscriptions: Subscriptions

  private readonly hub: Hub
  private window: Buffer[] = []
  /** Milliseconds since 1970. */
  private cursorSentAt = 0
  /** What a subscribe begins with and is on its way. */
  private catchUp: CatchUp | undefined
  /** Where what is held was left off; undefined while it is live. Another object wherever it is another place. */
  private bookmark: Bookmark | undefined
  /** Whether it was told that it lags. */
  private lags = false
  /** Whether it is being caught up from its bookmark. */
  private recovers = false
  /** Of topics that were lost while it is live, until all that was lost has been dealt with. */
  private pending: ReadonlyMap<string, PendingState> = NOTHING_PENDING
  /** Messages that were passed on since the system last had taken all. */
  private passedOn = 0
  /** Of the hub's notices, when it was live last. */
  private noticesAnnounced = 0
  /** What goes behind the positions of its cursors while it is live and no catch-up is under way. */
  private marks = ''
  /** Subscribes with a position whose catch-up does not run yet: a cursor now would not cover them. */
  private pendingResumes = 0

  constructor (private readonly outlet: Outlet, private readonly options: DeliveryOptions) {
    this.hub = options.hub
    this.format = options.format
    this.subscriptions = new Subscriptions(options.hub, this, options.maxSubscriptions)
  }

  /** Whether all that it holds is sent as it comes. */
  get isLive (): boolean {
    return this.bookmark === undefined
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
    if (this.hub.epochChange !== undefined && this.cursorPendingSince !== undefined) buffers.unshift(this.cursorBeforeResets())
    const cursor = this.cursorIsDue(now) ? this.cursorFrame() : undefined
    if (cursor === undefined) {
      this.requireCursor(now)
    } else {
      buffers.push(cursor)
      this.noteCursor(now)
    }
    this.outlet.write(buffers, now)
    const { unsent, enough, knownAtOnce } = this.outlet
    if (unsent === 0) this.passedOn = 0
    else if (unsent > enough && knownAtOnce) this.leave()
    else if (unsent > enough) setImmediate(() => { this.attempt(() => { if (this.outlet.isFull) this.leave() }) })
  }

  /** One that is live stays so until all that was lost has been dealt with: it leaves where the hub stands then. */
  requireReset (topics: Iterable<string>, reason: ResetReason): void {
    const pending = withResets(this.bookmark?.pending ?? this.pending, topics, reason)
    if (this.bookmark !== undefined) {
      this.bookmark = { ...this.bookmark, pending }
      return
    }
    if (pending.size === 0) return
    if (this.hub.epochChange !== undefined && this.pending.size === 0 && this.cursorPendingSince !== undefined) this.outlet.write([this.cursorBeforeResets()])
    this.pending = pending
    if (this.hub.epochChange === undefined) this.leaveLive(false)
  }

  /** A window may be under way: it leaves behind it, from where the hub stands then. */
  lose (topic: string): void {
    const pending = withLoss(this.bookmark?.pending ?? this.pending, topic)
    if (this.bookmark !== undefined) {
      this.bookmark = { ...this.bookmark, pending }
      return
    }
    this.pending = pending
    queueMicrotask(() => { this.attempt(() => { if (this.isLive && this.pending.size > 0 && this.hub.epochChange === undefined) this.leaveLive(false) }) })
  }

  fail (error: unknown): void { this.options.onFailure(error) }

  /** What is done in a turn of its own: nobody else would hear that it failed. */
  private attempt (work: () => void): void {
    try {
      work()
    } catch (error) {
      this.fail(error)
    }
  }

  restated (newEpoch: boolean): void {
    if (this.pending.size > 0) this.leaveLive(newEpoch)
    else if (newEpoch) this.epochChanged()
  }

  private epochChanged (): void {
    // A catch-up under way tells of the epoch itself, behind its resets.
    if (this.catchUp === undefined) this.sendEpoch(this.hub.epochText())
    this.requireCursor(Date.now())
    // What was given in place of what is lost may be ahead of the hub until then.
    void this.hub.advanced().then(() => { this.attempt(() => { if (this.cursorPendingSince !== undefined) this.sendCursor() }) })
  }

  /** Sends what is throttled and pending: after it, a live client stands where the hub stands. */
  settle (): void {
    this.hub.settle(this, this.subscriptions.reduced)
    this.outlet.write(this.window.splice(0))
  }

  // ---- what is held

  /** All that is held. */
  selection (): Selection {
    return this.subscriptions.selection()
  }

  /** Live delivery of some selectors begins with the next window; one that was there changes its options. */
  attach (selectors: readonly Selector[]): void {
    this.settle()
    this.subscriptions.attach(selectors)
    this.marks = this.subscriptions.marks(this.lostTopics)
  }

  detach (selectors: readonly Selector[]): void {
    this.settle()
    this.subscriptions.detach(selectors)
    this.marks = this.subscriptions.marks(this.lostTopics)
    if (this.bookmark !== undefined) this.bookmark = { ...this.bookmark }
  }

  /** The wire is gone. */
  close (): void {
    if (this.lags) this.outlet.counters.lagging--
    this.lags = false
    this.bookmark = undefined
    this.cursorPendingSince = undefined
    this.subscriptions.detach(this.subscriptions.selectors())
  }

  // ---- what a subscribe begins with

  /** A subscribe with a position waits for its turn: until its catch-up runs, no cursor would cover it. */
  expectResume (): void {
    this.pendingResumes++
  }

  /** From here on its catch-up says what a cursor covers; or it was refused. */
  resumeBegan (): void {
    this.pendingResumes--
  }

  /**
   * Sends what a catch-up holds, slice by slice as fast as the client reads, then hands over to live delivery. It waits
   * while the rest is not live.
   * @param coming what will be live then
   */
  async follow (catchUp: CatchUp, coming: readonly Selector[]): Promise<void> {
    this.catchUp = catchUp
    this.subscriptions.expect(coming)
    const { counters } = this.outlet
    if (catchUp.resumes) counters.resumes++
    else counters.fresh++
    const joinLive = (): void => {
      this.catchUp = undefined
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
        if (slice.messages.length > 0 && this.sendCursorIfDue(first)) first = false
        await this.outlet.until(() => this.isLive && !this.outlet.isFull)
        await catchUp.prepareToJoin()
      }
    } catch (error) {
      // The client was told that it has this: it comes back with its cursor for what it was not sent.
      this.fail(error)
    } finally {
      this.catchUp = undefined
      this.subscriptions.expect([])
    }
  }

  // ---- one that reads too slowly, or is owed more than is passed on in one piece

  /** Ends live delivery: the window has been written, and nothing more is kept for the client than its place. */
  private leave (): void {
    // In the middle of a new epoch it stands nowhere that could be named: a later window will do.
    if (!this.isLive || !this.outlet.isOpen || this.hub.epochChange !== undefined) return
    this.lags = true
    this.outlet.counters.lagging++
    this.outlet.counters.lags++
    this.outlet.send({ type: 'lagging', behind: Math.max(1, this.passedOn) })
    this.passedOn = 0
    this.leaveLive(false)
  }

  private leaveLive (epochPending: boolean): void {
    const pending = this.pending
    this.pending = NOTHING_PENDING
    if (this.outlet.isOpen) this.goOnFrom({ ...bookmarkHere(this.hub, this.subscriptions.shards, this.lostTopics, this.subscriptions.reducedChannels), pending, epochPending })
  }

  private goOnFrom (bookmark: Bookmark): void {
    this.bookmark = bookmark
    this.noticesAnnounced = this.hub.notices.announced
    this.subscriptions.leave()
    void this.recover().catch(this.options.onFailure)
  }

  private async recover (): Promise<void> {
    if (this.recovers) return
    this.recovers = true
    try {
      while (this.outlet.isOpen && this.bookmark !== undefined) {
        await this.outlet.until(() => !this.outlet.isFull)
        if (this.outlet.isOpen) await this.readOn(this.bookmark)
      }
    } finally {
      this.recovers = false
    }
  }

  /** Goes on from the bookmark until it is live, until there is more than it reads, or until it stands elsewhere. */
  private async readOn (start: Bookmark): Promise<void> {
    let place = start
    const catchUp = await CatchUp.open(this.hub, this.selection(), { from: 'bookmark', bookmark: place }, {
      snapshots: true, decimals: this.format.decimals, dropped: 'lagging'
    })
    const goesOn = (): boolean => this.outlet.isOpen && this.bookmark === place
    try {
      while (goesOn()) {
        if (this.join(catchUp, () => { this.rejoin() }, false)) return
        const slice = await catchUp.next(this.options.pageMessages)
        if (!goesOn()) return
        this.sendSlice(slice)
        this.bookmark = place = catchUp.bookmark(this.subscriptions.reducedChannels)
        if (slice.messages.length > 0) this.sendCursorIfDue()
        if (this.outlet.isFull) return
        await catchUp.prepareToJoin()
      }
    } finally {
      catchUp.close()
    }
  }

  private rejoin (): void {
    this.bookmark = undefined
    this.subscriptions.join()
    this.hub.notices.announceMissed(this, this.noticesAnnounced)
    this.marks = this.subscriptions.marks(this.lostTopics)
    if (this.lags) {
      this.lags = false
      this.outlet.counters.lagging--
      this.outlet.send({ type: 'lagging', behind: 0 })
    }
    this.outlet.wake()
  }

  // ---- what a catch-up says

  /** @returns whether all was sent, and it is live */
  private join (catchUp: CatchUp, joinLive: () => void, first: boolean): boolean {
    const rest = catchUp.join(this.options.pageMessages)
    if (rest === undefined) return false
    // What is pending of topics whose state comes now must come before it.
    this.settle()
    this.outlet.sendTexts(rest)
    this.lostTopics = leastOf(this.lostTopics, catchUp.lostTopics)
    joinLive()
    if (rest.length > 0) this.requireCursor(Date.now())
    this.sendCursorIfDue(first)
    return true
  }

  private sendSlice ({ voids, states, newEpoch, messages }: Slice): void {
    if (voids) this.outlet.write([this.voidCursor()])
    this.outlet.sendTexts(states)
    if (newEpoch !== undefined) this.sendEpoch(newEpoch)
    this.outlet.sendTexts(messages)
    if (states.length + messages.length > 0) this.requireCursor(Date.now())
  }

  private sendEpoch (epoch: string): void {
    this.outlet.send({ type: 'epoch', epoch })
  }

  // ---- cursors

  /** The cursor of all that has been sent. @returns whether there is one now */
  sendCursor (): boolean {
    const frame = this.cursorFrame()
    if (frame === undefined || !this.outlet.isOpen) return false
    this.noteCursor(Date.now())
    this.outlet.write([frame])
    return true
  }

  noteCursor (now: number): void {
    this.cursorPendingSince = undefined
    this.cursorSentAt = now
  }

  private requireCursor (now: number): void {
    if (!this.outlet.isOpen) return
    if (this.cursorPendingSince === undefined) this.options.onCursorPending(this)
    this.cursorPendingSince = now
  }

  /**
   * Undefined while no cursor would cover all that the client asked for; and while one would cover less than it was sent,
   * which it could not know (PROTOCOL.md, The client's rule, 5).
   */
  cursorText (): string | undefined {
    if (this.pendingResumes > 0 || voidsCursors(this.pending)) return undefined
    const { catchUp, bookmark } = this
    if (catchUp === undefined && bookmark === undefined) return this.hub.cursorText(this.marks)
    const held = bookmark === undefined ? this.hub.flushedOf(this.subscriptions.shards) : offsetsOf(this.hub, bookmark)
    const begun = catchUp === undefined ? held : catchUp.isEven ? catchUp.offsets() : undefined
    if (held === undefined || begun === undefined) return undefined
    for (const [shard, offset] of begun) if (offset !== (held.get(shard) ?? offset)) return undefined
    return this.hub.positionAt(new Map([...held, ...begun])) + this.subscriptions.marks(leastOf(this.lostTopics, catchUp?.lostTopics, bookmark?.lostTopics))
  }

  /**
   * What goes before the resets of a new epoch, where the client may have an older cursor than what it was sent: one that
   * is cut among them must be told of them again, and a cursor from before what was lost would be good.
   */
  private cursorBeforeResets (): Buffer {
    const isLive = this.catchUp === undefined && this.pendingResumes === 0 && !voidsCursors(this.pending)
    return isLive ? this.hub.cursorFrame(this.format, this.marks) : this.voidCursor()
  }

  private voidCursor (): Buffer {
    return this.format.encodeCursor(this.hub.voidCursor())
  }

  private cursorIsDue (now: number): boolean {
    return this.options.cursorWithEachFlush || now - this.cursorSentAt >= CURSOR_INTERVAL_MS
  }

  private sendCursorIfDue (atOnce = false): boolean {
    return (atOnce || this.cursorIsDue(Date.now())) && this.sendCursor()
  }

  /** None while topics are being restated: it would be the last one again, behind what it does not cover. */
  private cursorFrame (): Buffer | undefined {
    if (this.hub.epochChange !== undefined || voidsCursors(this.pending)) return undefined
    if (this.catchUp === undefined && this.pendingResumes === 0 && this.isLive) return this.hub.cursorFrame(this.format, this.marks)
    const text = this.cursorText()
    return text === undefined ? undefined : this.format.encodeCursor(text)
  }
}

const NOTHING_PENDING: ReadonlyMap<string, PendingState> = new Map()
