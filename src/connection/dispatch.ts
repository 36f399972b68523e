import { ProtocolError } from '@tickwire/protocol'
import { isoTime } from '../hub/frame.js'
import { perform, readAction } from './actions/index.js'
import type { Connection } from './connection.js'

/** What a client says, by a text or a binary frame, to the action that it asks for. */
export function receiveText (connection: Connection, text: string): void {
  if (!connection.isOpen) return
  const action = readAction(text)
  if (!connection.admits(() => 'error' in action ? action.id : action.message.id)) return
  if ('error' in action) {
    connection.badMessage(action.error, action.id)
    return
  }
  const { message } = action
  const { id } = message
  if (message.action === 'ping') {
    connection.send({ type: 'pong', ...(id === undefined ? {} : { id }), timestamp: isoTime(Date.now()) })
    return
  }
  connection.enqueue(async () => {
    if (connection.mustAuthenticate && message.action !== 'auth') throw new ProtocolError('unauthorized', 'authenticate first')
    await perform(connection, message)
  }, {
    id,
    resumes: message.action === 'subscribe' && message.after !== undefined,
    // Who cannot keep up must be able to want less, and a token may expire meanwhile.
    whileLagging: message.action === 'unsubscribe' || message.action === 'auth'
  })
}

/** What a client sends beside messages, and is answered by the wire itself, counts as they do. */
export function receiveControl (connection: Connection): void {
  if (connection.isOpen) connection.admits()
}

export function receiveBinary (connection: Connection): void {
  if (connection.isOpen) connection.badMessage(new ProtocolError('invalid_message', 'messages are text frames'))
}
