import type { Format } from '../../hub/format.js'
import type { Hub } from '../../hub/hub.js'
import type { CursorReader } from '../connections.js'

export interface DeliveryOptions {
  readonly hub: Hub
  readonly format: Format
  readonly maxSubscriptions: number
  /** How many messages of the log a catch-up reads and writes at a time. */
  readonly pageMessages: number
  /** Whether each flush ends with a cursor. Otherwise one goes out once a second. */
  readonly cursorWithEachFlush: boolean
  /** Called when the client was sent something after its last cursor. */
  readonly onCursorPending: (reader: CursorReader) => void
  /** Called with the reason when the client cannot be sent what it subscribed to. */
  readonly onFailure: (error: unknown) => void
}
