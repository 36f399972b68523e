import { ProtocolError } from '@tickwire/protocol'
import type { Action } from './actions/action.js'
import { readAction } from './actions/index.js'
import type { Connection } from './connection.js'

/** What a client says, by a text or a binary frame, to the action that it asks for. */
export function receiveText (connection: Connection, text: string): void {
  if (!connection.isOpen) return
  const read = readAction(text)
  if (!connection.admits(() => 'error' in read ? read.id : read.message.id)) return
  if ('error' in read) {
    connection.badMessage(read.error, read.id)
    return
  }
  const { action, message, itemErrors } = read
  if (action.atOnce === true) {
    void action.perform(connection, message, itemErrors)
    return
  }
  connection.enqueue(async () => {
    demandRight(connection, action)
    await action.perform(connection, message, itemErrors)
  }, { id: message.id, resumes: action.resumes?.(message) === true, whileLagging: action.whileLagging === true })
}

/** @throws ProtocolError `unauthorized` or another that says why the client may not ask for it */
function demandRight (connection: Connection, { authenticates, refuse }: Action): void {
  if (connection.mustAuthenticate && authenticates !== true) throw new ProtocolError('unauthorized', 'authenticate first')
  const code = refuse?.(connection.identity)
  if (code !== undefined) throw new ProtocolError(code)
}

/** What a client sends beside messages, and is answered by the wire itself, counts as they do. */
export function receiveControl (connection: Connection): void {
  if (connection.isOpen) connection.admits()
}

export function receiveBinary (connection: Connection): void {
  if (connection.isOpen) connection.badMessage(new ProtocolError('invalid_message', 'messages are text frames'))
}
