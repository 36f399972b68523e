import { offsetsOf } from '../../hub/catch-up/bookmark.js'
import type { CatchUp } from '../../hub/catch-up/catch-up.js'
import { voidsCursors } from '../../hub/catch-up/pending.js'
import { leastOf } from '../../hub/catch-up/plan.js'
import type { CursorReader } from '../connections.js'
import type { DeliveryOptions } from './delivery-options.js'
import type { DeliveryState } from './delivery-state.js'
import type { Outlet } from './outlet.js'
import type { Subscriptions } from './subscriptions.js'

/** PROTOCOL.md, Control: at most one cursor in this time, where they do not go with each flush. */
const CURSOR_INTERVAL_MS = 1000

/** The cursors of one client: what they cover, and when they are due. */
export class DeliveryCursor implements CursorReader {
  pendingSince: number | undefined
  /** See `CursorMarks.lostTopics` of the protocol package. */
  lostTopics: number | undefined
  /** What a subscribe begins with, while it is on its way. */
  catchUp: CatchUp | undefined
  /** Milliseconds since 1970. */
  private sentAt = 0
  /** What goes behind the positions while the client is live and no catch-up is under way. */
  private marks = ''
  /** Subscribes with a position whose catch-up does not run yet: a cursor now would not cover them. */
  private pendingResumes = 0

  constructor (
    private readonly state: DeliveryState,
    private readonly subscriptions: Subscriptions,
    private readonly outlet: Outlet,
    private readonly options: DeliveryOptions
  ) {}

  /** What is subscribed to has changed, and with it what the cursors must say. */
  updateMarks (): void {
    this.marks = this.subscriptions.marks(this.lostTopics)
  }

  noteLostTopics (offset: number | undefined): void {
    this.lostTopics = leastOf(this.lostTopics, offset)
  }

  /** A subscribe with a position waits for its turn: until its catch-up runs, no cursor covers it. */
  expectResume (): void {
    this.pendingResumes++
  }

  /** From here on its catch-up says what a cursor covers; or the subscribe was refused. */
  resumeBegan (): void {
    this.pendingResumes--
  }

  /**
   * Undefined while no cursor would cover all that the client asked for, and while one would cover less than the client
   * was sent: it could not know that (PROTOCOL.md, The client's rule, 5).
   */
  text (): string | undefined {
    if (this.pendingResumes > 0 || voidsCursors(this.state.pendingWhileLive)) return undefined
    const { catchUp, subscriptions, lostTopics, options: { hub }, state: { bookmark } } = this
    if (catchUp === undefined && bookmark === undefined) return hub.cursorText(this.marks)
    const held = bookmark === undefined ? hub.flushedOf(subscriptions.shards) : offsetsOf(hub, bookmark)
    const begun = catchUp === undefined ? held : catchUp.isEven ? catchUp.offsets() : undefined
    if (held === undefined || begun === undefined) return undefined
    for (const [shard, offset] of begun) if (offset !== (held.get(shard) ?? offset)) return undefined
    const marks = subscriptions.marks(leastOf(lostTopics, catchUp?.lostTopics, bookmark?.lostTopics))
    return hub.positionAt(new Map([...held, ...begun])) + marks
  }

  /** The cursor at the end of a flush. Undefined where none is due or none would cover it: then one is pending. */
  takeForFlush (now: number): Buffer | undefined {
    const frame = this.isDue(now) ? this.frame() : undefined
    if (frame === undefined) this.require(now)
    else this.markSent(now)
    return frame
  }

  /** Sends the cursor of all that has been sent. @returns whether there is one now */
  send (): boolean {
    const frame = this.frame()
    if (frame === undefined || !this.outlet.isOpen) return false
    this.markSent(Date.now())
    this.outlet.write([frame])
    return true
  }

  sendIfDue (atOnce = false): boolean {
    return (atOnce || this.isDue(Date.now())) && this.send()
  }

  /** The client was sent something after its last cursor. */
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
   * Goes before the resets of a new epoch if the client's last cursor is older than what it was sent. A client that is
   * cut among the resets must be told of them again, and an older cursor, from before what was lost, would be good.
   */
  beforeResets (): Buffer {
    const { options: { hub, format } } = this
    const covers = this.catchUp === undefined && this.pendingResumes === 0 && !voidsCursors(this.state.pendingWhileLive)
    return covers ? hub.cursorFrame(format, this.marks) : this.void()
  }

  /** A cursor of nowhere: a client that comes back with it is told that everything is lost. */
  void (): Buffer {
    const { hub, format } = this.options
    return format.cursor(hub.voidCursor())
  }

  fail (error: unknown): void {
    this.options.onFailure(error)
  }

  private isDue (now: number): boolean {
    return this.options.cursorWithEachFlush || now - this.sentAt >= CURSOR_INTERVAL_MS
  }

  /** Undefined while topics are being restated: it would be the last one again, behind what it does not cover. */
  private frame (): Buffer | undefined {
    const { options: { hub, format }, state } = this
    if (hub.epochChange !== undefined || voidsCursors(state.pendingWhileLive)) return undefined
    if (this.catchUp === undefined && this.pendingResumes === 0 && state.isLive) return hub.cursorFrame(format, this.marks)
    const text = this.text()
    return text === undefined ? undefined : format.cursor(text)
  }
}
