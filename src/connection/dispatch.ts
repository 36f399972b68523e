import { ProtocolError } from '@tickwire/protocol'
import type { Dialect } from '../dialects/dialect.js'
import type { Action, Identified, ReadAction } from './actions/action.js'
import { readAction } from './actions/index.js'
import type { Connection } from './connection.js'

/** Reads a message of a client, a text or bytes, and queues the action that it asks for. */
export function receive (connection: Connection, dialect: Dialect, received: string | Buffer): void {
  receiveAs(connection, () => readAction(() => dialect.read(received)))
}

/**
 * Counts a message of a client, and queues the action that it asks for.
 * @param toAction reads the message; called only while the connection is open
 */
export function receiveAs<Message extends Identified> (
  connection: Connection, toAction: () => ReadAction<Message>
): void {
  if (!connection.isOpen) return
  const read = toAction()
  if (!connection.admitMessage(() => 'error' in read ? read.id : read.message.id)) return
  if ('error' in read) {
    connection.refuseMessage(read.error, read.id)
    return
  }
  const { action, message, itemErrors } = read
  if (action.atOnce === true) {
    void action.perform(connection, message, itemErrors)
    return
  }
  connection.actions.enqueue(async () => {
    requireRight(connection, action)
    await action.perform(connection, message, itemErrors)
  }, {
    id: message.id,
    resumes: action.resumes?.(message) === true,
    whileLagging: action.whileLagging === true
  })
}

/** @throws ProtocolError `unauthorized`, or the reason of the action's `refuse` */
function requireRight (
  connection: Connection, { authenticates, refuse }: Pick<Action, 'authenticates' | 'refuse'>
): void {
  if (connection.mustAuthenticate && authenticates !== true) {
    throw new ProtocolError('unauthorized', 'authenticate first')
  }
  const code = refuse?.(connection.identity)
  if (code !== undefined) throw new ProtocolError(code)
}

/**
 * Counts a control frame of a client against its rate, as if it were a message. The wire itself answers it.
 */
export function receiveControl (connection: Connection): void {
  if (connection.isOpen) connection.admitMessage()
}
