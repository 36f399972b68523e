import { type JsonMessage, ProtocolError, readJsonMessage } from '@tickwire/protocol'
import type { Written } from '../../hub/format.js'
import { Dialect } from '../dialect.js'
import type { JsonWriter } from './json-writer.js'

/** The list of the action `publish`, whose items are judged one by one. */
const LIST = 'messages'

/**
 * The subprotocol `tickwire.v1.json` (PROTOCOL.md, One URL): a payload is one message. Event streams and
 * polls use it, too.
 */
export class NativeDialect extends Dialect {
  constructor (readonly writer: JsonWriter) {
    super()
  }

  payloads (messages: readonly Written[]): readonly Written[] {
    return messages
  }

  read (received: string | Buffer): JsonMessage {
    if (typeof received !== 'string') {
      throw new ProtocolError('invalid_message', 'a message must be a text frame, not a binary one')
    }
    return readJsonMessage(received, LIST)
  }
}
