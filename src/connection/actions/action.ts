import type { TSchema } from '@sinclair/typebox'
import type { ClientMessage, ErrorCode, ProtocolError } from '@tickwire/protocol'
import type { Identity } from '../../auth/identity.js'
import type { Connection } from '../connection.js'

/** By index: why an item of the message's list cannot be taken as it was written. */
export type ItemErrors = ReadonlyMap<number, ProtocolError>

/** What a client can ask for. A new action is a schema in the protocol package, a file here and a line in the registry. */
export interface Action<Message extends ClientMessage = ClientMessage> {
  readonly schema: TSchema
  /** Carries it out and answers it. @throws ProtocolError that is the answer */
  perform (connection: Connection, message: Message, itemErrors: ItemErrors): void | Promise<void>
  /** Why somebody may not ask for it, whatever the message says; absent where everybody may. */
  refuse? (identity: Identity): ErrorCode | undefined
  /** Whether it says who the client is, so that it comes before all others. */
  readonly authenticates?: boolean
  /** Whether it is done when it is read, before the actions that wait for their turn. */
  readonly atOnce?: boolean
  /** Whether it can be done for a client that lags; otherwise it waits until that is live again. */
  readonly whileLagging?: boolean
  /** Whether the client may come back with a cursor for what it asks for here: until its catch-up runs, no cursor covers that. */
  resumes? (message: Message): boolean
}
