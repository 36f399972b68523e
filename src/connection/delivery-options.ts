import type { Format } from '../hub/frame.js'
import type { Hub } from '../hub/hub.js'
import type { CursorReader } from './connections.js'

export interface DeliveryOptions {
  readonly hub: Hub
  readonly format: Format
  readonly maxSubscriptions: number
  /** Messages of the log that are read and written at a time while catching up. */
  readonly pageMessages: number
  /** Whether each flush ends with a cursor, or one goes out once a second. */
  readonly cursorWithEachFlush: boolean
  /** Told where it has been sent something behind its last cursor. */
  readonly onCursorPending: (reader: CursorReader) => void
  /** Told why what was subscribed to cannot be sent any more. */
  readonly onFailure: (error: unknown) => void
}
