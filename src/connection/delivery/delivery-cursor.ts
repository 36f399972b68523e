import { offsetsOf } from '../../hub/catch-up/bookmark.js'
import type { CatchUp } from '../../hub/catch-up/catch-up.js'
import { voidsCursors } from '../../hub/catch-up/pending.js'
import { leastOf } from '../../hub/catch-up/plan.js'
import type { CursorReader } from '../connections.js'
import type { DeliveryOptions } from './delivery-options.js'
import type { DeliveryState } from './delivery-state.js'
import type { Outlet } from './outlet.js'
import type { Subscriptions } from './subscriptions.js'

/** PROTOCOL.md, Control: if cursors do not go with each flush, at most one goes out in this time. */
const CURSOR_INTERVAL_MS = 1000

/** The cursors of one client: what they cover, and when they are due. */
export class DeliveryCursor implements CursorReader {
  pendingSince: number | undefined
  /** See `CursorMarks.lostTopics` of the protocol package. */
  lostTopics: number | undefined
  /** The catch-up of a subscribe, while it runs. */
  catchUp: CatchUp | undefined
  /** Milliseconds since 1970. */
  private sentAt = 0
  /** The marks behind the positions while the client is live and no catch-up of a subscribe runs. */
  private marks = ''
  /** How many subscribes from a position wait for their catch-up. A cursor now would not cover them. */
  private pendingResumes = 0

  constructor (
    private readonly state: DeliveryState,
    private readonly subscriptions: Subscriptions,
    private readonly outlet: Outlet,
    private readonly options: DeliveryOptions
  ) {}

  /** Adapts the marks of the cursors to what the client now subscribes to. */
  updateMarks (): void {
    this.marks = this.subscriptions.marks(this.lostTopics)
  }

  /** Notes that the client resumed from a position that was lost, if an offset is given. */
  noteLostTopics (offset: number | undefined): void {
    this.lostTopics = leastOf(this.lostTopics, offset)
  }

  /** Holds back cursors, because a subscribe from a position waits for its turn: no cursor covers it yet. */
  addPendingResume (): void {
    this.pendingResumes++
  }

  /** Ends one {@link addPendingResume}: the catch-up of the subscribe runs, or the subscribe was refused. */
  removePendingResume (): void {
    this.pendingResumes--
  }

  /**
   * Returns the present cursor as text. Undefined while no cursor would cover everything that the client
   * asked for, and while a cursor would cover less than the client was sent, which the client could not know
   * (PROTOCOL.md, The client's rule, 5).
   */
  text (): string | undefined {
    if (this.pendingResumes > 0 || voidsCursors(this.state.pendingWhileLive)) return undefined
    const { catchUp, subscriptions, lostTopics, options: { hub }, state: { bookmark } } = this
    if (catchUp === undefined && bookmark === undefined) return hub.cursorText(this.marks)
    const covered = bookmark === undefined ? hub.flushedOf(subscriptions.shards) : offsetsOf(hub, bookmark)
    const begun = catchUp === undefined ? covered : catchUp.isEven ? catchUp.offsets() : undefined
    if (covered === undefined || begun === undefined) return undefined
    for (const [shard, offset] of begun) if (offset !== (covered.get(shard) ?? offset)) return undefined
    const marks = subscriptions.marks(leastOf(lostTopics, catchUp?.lostTopics, bookmark?.lostTopics))
    return hub.positionAt(new Map([...covered, ...begun])) + marks
  }

  /** Returns the cursor for the end of a flush. If none is due or none would cover it, makes one pending. */
  takeForFlush (now: number): Buffer | undefined {
    const frame = this.isDue(now) ? this.frame() : undefined
    if (frame === undefined) this.require(now)
    else this.markSent(now)
    return frame
  }

  /** Sends a cursor that covers everything the client was sent, if there is one. Returns whether it did. */
  send (): boolean {
    const frame = this.frame()
    if (frame === undefined || !this.outlet.isOpen) return false
    this.markSent(Date.now())
    this.outlet.write([frame])
    return true
  }

  /** Sends a cursor if one is due, or at once. Returns whether it sent one. */
  sendIfDue (atOnce = false): boolean {
    return (atOnce || this.isDue(Date.now())) && this.send()
  }

  /** Makes a cursor pending: the client was sent something after its last cursor. */
  require (now: number): void {
    if (!this.outlet.isOpen) return
    if (this.pendingSince === undefined) this.options.onCursorPending(this)
    this.pendingSince = now
  }

  markSent (now: number): void {
    this.pendingSince = undefined
    this.sentAt = now
  }

  /**
   * Returns the cursor to send before the resets of a new epoch, if the client was sent something after its
   * last cursor. A client that is cut among the resets must be told of them again. With its last cursor,
   * which may be from before the lost messages, it would resume as if nothing were lost.
   */
  beforeResets (): Buffer {
    const { options: { hub, format } } = this
    const covers = this.coversSubscriptions && !voidsCursors(this.state.pendingWhileLive)
    return covers ? hub.cursorFrame(format, this.marks) : this.void()
  }

  /** Returns a cursor without a position. A client that resumes with it gets a `reset` for every topic. */
  void (): Buffer {
    const { hub, format } = this.options
    return format.cursor(hub.voidCursor())
  }

  fail (error: unknown): void {
    this.options.onFailure(error)
  }

  /** Whether the position of the hub covers everything that the client asked for, once the client is live. */
  private get coversSubscriptions (): boolean {
    return this.catchUp === undefined && this.pendingResumes === 0
  }

  private isDue (now: number): boolean {
    return this.options.cursorWithEachFlush || now - this.sentAt >= CURSOR_INTERVAL_MS
  }

  /**
   * Returns the present cursor. Undefined during a new epoch: it would repeat the last cursor, after messages
   * that it does not cover.
   */
  private frame (): Buffer | undefined {
    const { options: { hub, format }, state } = this
    if (hub.epochChange !== undefined || voidsCursors(state.pendingWhileLive)) return undefined
    if (this.coversSubscriptions && state.isLive) return hub.cursorFrame(format, this.marks)
    const text = this.text()
    return text === undefined ? undefined : format.cursor(text)
  }
}
