import type { ErrorCode } from '@tickwire/protocol'
import type { Format } from '../hub/format.js'

/** Why a connection ends: an entry of the error table, and words for the client. */
export interface CloseReason {
  readonly code: ErrorCode
  readonly message: string
  readonly retryAfterMs?: number | undefined
}

/** A peer's wire, as a connection sees it: all that differs between WebSocket and Server-Sent Events. */
export interface Transport {
  readonly name: string
  readonly format: Format
  /** Whether each flush ends with a cursor, or one goes out once a second. */
  readonly cursorWithEachFlush: boolean
  /** Sends the buffers, in order, in one go. */
  write (buffers: readonly Buffer[]): void
  /** Bytes that were written and that the system has not taken yet; `onDrain` says when it has. */
  unsent (): number
  /** Whether that is known of a write in its own turn, or only in the next one, as with TLS. */
  readonly knownAtOnce: boolean
  /** Stops or goes on reading what the client sends. */
  pause (paused: boolean): void
  /**
   * Ends the wire after what was written and these last words, with the reason in the form of the transport. Of one that sends
   * too much (`rate_limited`) nothing is read any more.
   */
  close (reason: CloseReason, lastWords: Buffer): void
  /** Called about once a second: keeps the wire alive, and closes it where the peer is gone. @param pausedMs see {@link Member} of connections.ts */
  tick (now: number, pausedMs: number): void
}

/** What every transport tells its connection. */
export interface TransportEvents {
  onDrain (): void
  onClose (): void
}
