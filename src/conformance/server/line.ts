import type { ErrorCode } from '@tickwire/protocol'
import type { Asked } from '../asked.js'
import type { Item } from '../notation.js'
import type { Transport } from '../setup.js'

/** How often a line that is quiet sends its last cursor again, as a heartbeat does. */
export const HEARTBEAT_MS = 2000

/** Says how a subscription is confirmed. */
export interface Grant {
  readonly epoch: string
  /** Selectors that are refused, with the code. */
  readonly refused: ReadonlyMap<string, ErrorCode>
}

/** What a script does on one connection, in the same way over every transport. */
export interface Line {
  readonly transport: Transport
  /** What the client has asked for and the script has not granted yet. */
  readonly pending: readonly Asked[]
  /** Whether the client has ended the connection. */
  readonly isGone: boolean
  /** The credential of the connection. */
  readonly token: string | undefined
  /** Confirms what is pending. */
  grant (grant: Grant): void
  /** Sends what a flush holds. */
  send (items: readonly Item[]): Promise<void>
  /** Cuts the connection as a broken network does. */
  cut (): Promise<void>
  /**
   * Ends the connection for a reason.
   * @param isSaid whether a `closing` says so before
   * @returns when it was said, by `performance.now()`
   */
  close (code: ErrorCode, retryAfterMs: number | undefined, isSaid: boolean): Promise<number>
  /** Sends nothing more, and answers nothing. */
  freeze (): void
  /** Ends everything without a word. */
  dispose (): void
}
