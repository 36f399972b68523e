import type { State } from './state.js'

/** What a client tells besides messages. */
export interface ClientEvents {
  state: State
  /** The server skipped messages without a reset. The client gets them, or gives a reset. */
  gap: { readonly channel: string, readonly symbol?: string | undefined, readonly sequence: number }
  /** The position behind everything that was delivered: another client can begin there (`after`). */
  cursor: string
  /** The epoch of what follows, as the server names it: the same again, or another. */
  epoch: string
  /** A listener of the application threw. Without a listener for this, the error is reported globally. */
  error: unknown
}
