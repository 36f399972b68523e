import type { ErrorCode } from '@tickwire/protocol'
import type { Format } from '../hub/format.js'

/** Why the server closes a connection: an entry of the error table, and a message for the client. */
export interface CloseReason {
  readonly code: ErrorCode
  readonly message: string
  readonly retryAfterMs?: number | undefined
}

/**
 * The wire to one client, as a connection sees it. It hides everything in which WebSocket and Server-Sent
 * Events differ.
 */
export interface Transport {
  readonly name: string
  readonly format: Format
  /** Whether each flush ends with a cursor. Otherwise one goes out once a second. */
  readonly cursorWithEachFlush: boolean
  /** When the client last gave a sign of life, in milliseconds since 1970. */
  readonly heardAt: number
  /** Sends the buffers, in order, in one write. Returns how many bytes that are. */
  write (buffers: readonly Buffer[]): number
  /** Returns how many written bytes the system has not taken yet. `onDrain` reports when it has taken all. */
  unsent (): number
  /**
   * Whether `unsent` is right in the same turn of the event loop as the write. Otherwise, as with TLS, it
   * is right in the next turn.
   */
  readonly knownAtOnce: boolean
  /** Stops or resumes reading what the client sends. */
  pause (paused: boolean): void
  /**
   * Ends the wire after everything that was written and these last words, and gives the reason in the form
   * of the transport. If the reason is `rate_limited`, reads nothing more from the client.
   */
  close (reason: CloseReason, lastWords: Buffer): void
  /**
   * Keeps the wire alive, and closes it if the peer is gone. Called about once a second.
   * @param pausedMs see {@link Member} of connections.ts
   */
  tick (now: number, pausedMs: number): void
}

/** What every transport reports to its connection. */
export interface TransportEvents {
  onDrain (): void
  /** @param code the close code that the wire ended with, if it has one */
  onClose (code?: number): void
}
