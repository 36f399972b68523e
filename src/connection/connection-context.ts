import type { Identity } from '../auth/identity.js'
import type { Hub } from '../hub/hub.js'
import type { OrderRequests } from '../trading-requests/order-requests.js'
import type { Acknowledging } from './acknowledging.js'
import type { Connections } from './connections.js'
import type { Events } from './events.js'
import type { Publishing } from './publishing.js'
import type { NameContext } from './selectors.js'

/** What the connections of a node have in common. */
export interface ConnectionContext extends NameContext {
  readonly hub: Hub
  readonly connections: Connections
  readonly events: Events
  readonly publishing: Publishing
  readonly acknowledging: Acknowledging
  readonly orderRequests: OrderRequests
  readonly heartbeatMs: number
  readonly idleTimeoutMs: number
  readonly maxSubscriptions: number
  readonly maxMessagesPerSecond: number
  /** A connection with more unsent bytes than this leaves live delivery, and its catch-up waits. */
  readonly maxBufferedBytes: number
  /** How many messages of the log a catch-up reads and writes at a time. */
  readonly pageMessages: number
  readonly authenticationRequired: boolean
  /** @throws ProtocolError `unauthorized`, `overloaded` */
  verifyToken (token: string): Promise<Identity>
  readonly onError: (error: unknown, message: string) => void
}
