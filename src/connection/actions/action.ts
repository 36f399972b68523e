import type { TSchema } from '@sinclair/typebox'
import type { ClientMessage, ErrorCode, ProtocolError, RequestId } from '@tickwire/protocol'
import type { Identity } from '../../auth/identity.js'
import type { Connection } from '../connection.js'

/** The errors of items of a message's list that cannot be taken as they were written, by index. */
export type ItemErrors = ReadonlyMap<number, ProtocolError>

/** A message of a client. Its id, if it has one, comes back with the answer. */
export interface Identified {
  readonly id?: RequestId
}

/**
 * Something that a client can ask for. A new action is a schema in the protocol package, a file here and a
 * line in the registry.
 */
export interface Action<Message extends Identified = ClientMessage> {
  readonly schema: TSchema
  /** Performs the action and answers it. @throws ProtocolError that becomes the answer */
  perform (connection: Connection, message: Message, itemErrors: ItemErrors): void | Promise<void>
  /**
   * Returns why a client may not ask for the action, whatever its message says. Without it, every client may.
   */
  refuse? (identity: Identity): ErrorCode | undefined
  /** Whether the action authenticates the client, so that a client may ask for it before all others. */
  readonly authenticates?: boolean
  /** Whether the action is performed as soon as it is read, before the actions that wait for their turn. */
  readonly atOnce?: boolean
  /**
   * Whether the action can be performed while the client lags. Otherwise it waits until the client is live.
   */
  readonly whileLagging?: boolean
  /**
   * Returns whether a message subscribes from a position. Until the catch-up of such a message runs, no
   * cursor covers what it asks for.
   */
  resumes? (message: Message): boolean
}

/** What a client asks for, or what is wrong with its message. */
export type ReadAction<Message extends Identified = ClientMessage> =
  | { readonly action: Action<Message>, readonly message: Message, readonly itemErrors: ItemErrors }
  | { readonly error: ProtocolError, readonly id?: RequestId }
