import type { ResetReason } from '@tickwire/protocol'
import type { Bookmark } from '../../hub/catch-up/bookmark.js'
import { type PendingState, withLoss, withResets } from '../../hub/catch-up/pending.js'

type Pending = ReadonlyMap<string, PendingState>

/**
 * - `live`: the hub sends everything as it comes. `pending` names topics that lost something: as soon as the hub stands
 *   somewhere that can be named, the client leaves live delivery with them;
 * - `catching_up`: the client is owed more than goes out in one piece, and is caught up from the bookmark;
 * - `lagging`: the same, for a client that read too slowly. It was told so;
 * - `closed`: the wire is gone.
 */
type State =
  | { readonly name: 'live', readonly pending: Pending }
  | { readonly name: 'catching_up' | 'lagging', readonly bookmark: Bookmark }
  | { readonly name: 'closed' }

const NOTHING_PENDING: Pending = new Map()
const LIVE: State = { name: 'live', pending: NOTHING_PENDING }
const CLOSED: State = { name: 'closed' }

/** Where one client stands. Each transition is a method, and does nothing in a state that it does not go with. */
export class DeliveryState {
  private state: State = LIVE

  get name (): State['name'] {
    return this.state.name
  }

  get isLive (): boolean {
    return this.state.name === 'live'
  }

  /** Where the client left live delivery. It is another object wherever it is another place. */
  get bookmark (): Bookmark | undefined {
    return 'bookmark' in this.state ? this.state.bookmark : undefined
  }

  /** What comes before the next messages of some topics. */
  get pending (): Pending {
    return 'bookmark' in this.state ? this.state.bookmark.pending : this.pendingWhileLive
  }

  /** What is pending while the client is still live; nothing in any other state. */
  get pendingWhileLive (): Pending {
    return 'pending' in this.state ? this.state.pending : NOTHING_PENDING
  }

  /** Some topics lost messages: a reset is pending for each. */
  requireResets (topics: Iterable<string>, reason: ResetReason): void {
    this.addPending(pending => withResets(pending, topics, reason))
  }

  /** A message of a topic could not be passed on. */
  requireReplacement (topic: string): void {
    this.addPending(pending => withLoss(pending, topic))
  }

  /** Live delivery ends at a bookmark, which takes over what is pending. */
  leave (bookmark: Bookmark, name: 'catching_up' | 'lagging'): void {
    const { state } = this
    if (state.name === 'live') this.state = { name, bookmark: { ...bookmark, pending: state.pending } }
  }

  /** A part was sent from the bookmark. */
  moveTo (bookmark: Bookmark): void {
    if ('bookmark' in this.state) this.state = { ...this.state, bookmark }
  }

  /** What the client subscribes to has changed: a catch-up from the bookmark must begin anew. */
  renewBookmark (): void {
    if ('bookmark' in this.state) this.moveTo({ ...this.state.bookmark })
  }

  /** All was sent up to where the hub stands. */
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
