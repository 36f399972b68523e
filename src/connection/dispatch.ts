import { ProtocolError } from '@tickwire/protocol'
import type { Dialect } from '../dialects/dialect.js'
import type { Action } from './actions/action.js'
import { readAction } from './actions/index.js'
import type { Connection } from './connection.js'

/** Passes what a client said, a text or bytes, on to the action that it asks for. */
export function receive (connection: Connection, dialect: Dialect, received: string | Buffer): void {
  if (!connection.isOpen) return
  const read = readAction(() => dialect.read(received))
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
