import type { ResetReason } from '@tickwire/protocol'
import type { Bookmark } from '../../hub/catch-up/bookmark.js'
import { type PendingState, withLoss, withResets } from '../../hub/catch-up/pending.js'

type Pending = ReadonlyMap<string, PendingState>

/**
 * - `live`: the hub sends everything as it comes. `pending` names topics that lost messages: the client
 *   leaves live delivery with them as soon as the hub stands at a position, which it does not during a new
 *   epoch;
 * - `catching_up`: more is pending than goes out in one piece, so a catch-up sends it from the bookmark on;
 * - `lagging`: the same, for a client that read too slowly and was told so;
 * - `closed`: the wire is gone.
 */
type State =
  | { readonly name: 'live', readonly pending: Pending }
  | { readonly name: 'catching_up' | 'lagging', readonly bookmark: Bookmark }
  | { readonly name: 'closed' }

const NOTHING_PENDING: Pending = new Map()
const LIVE: State = { name: 'live', pending: NOTHING_PENDING }
const CLOSED: State = { name: 'closed' }

/** The state of one client's delivery. Each transition is a method; in other states it does nothing. */
export class DeliveryState {
  private state: State = LIVE

  get name (): State['name'] {
    return this.state.name
  }

  get isLive (): boolean {
    return this.state.name === 'live'
  }

  /** Up to where the client was sent everything. Each change of the bookmark makes a new object. */
  get bookmark (): Bookmark | undefined {
    return 'bookmark' in this.state ? this.state.bookmark : undefined
  }

  /** What the client must get before the next messages of some topics, by topic. */
  get pending (): Pending {
    return 'bookmark' in this.state ? this.state.bookmark.pending : this.pendingWhileLive
  }

  /** What is pending for a client that is still live. Empty in any other state. */
  get pendingWhileLive (): Pending {
    return 'pending' in this.state ? this.state.pending : NOTHING_PENDING
  }

  /** Makes a reset pending for each of some topics that lost messages. */
  requireResets (topics: Iterable<string>, reason: ResetReason): void {
    this.addPending(pending => withResets(pending, topics, reason))
  }

  /** Makes a reset pending for a topic of which a message could not be passed on. */
  requireReplacement (topic: string): void {
    this.addPending(pending => withLoss(pending, topic))
  }

  /** Leaves live delivery at a bookmark, which takes over what is pending. */
  leave (bookmark: Bookmark, name: 'catching_up' | 'lagging'): void {
    const { state } = this
    if (state.name === 'live') this.state = { name, bookmark: { ...bookmark, pending: state.pending } }
  }

  /** Moves the bookmark to behind a part that was sent. */
  moveTo (bookmark: Bookmark): void {
    if ('bookmark' in this.state) this.state = { ...this.state, bookmark }
  }

  /** Copies the bookmark, so that a catch-up begins anew, because the subscriptions have changed. */
  renewBookmark (): void {
    if ('bookmark' in this.state) this.moveTo({ ...this.state.bookmark })
  }

  /** Makes the client live: it was sent everything up to where the hub stands. */
  goLive (): void {
    if ('bookmark' in this.state) this.state = LIVE
  }

  close (): void {
    this.state = CLOSED
  }

  private addPending (add: (pending: Pending) => Pending): void {
    const { state } = this
    if ('bookmark' in state) this.moveTo({ ...state.bookmark, pending: add(state.bookmark.pending) })
    else if (state.name === 'live') this.state = { name: 'live', pending: add(state.pending) }
  }
}
