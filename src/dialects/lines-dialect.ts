import { type JsonMessage, ProtocolError, readJsonMessage } from '@tickwire/protocol'
import type { MessageWriter, Written } from '../hub/format.js'
import { Dialect } from './dialect.js'

/** No message of these clients holds a list whose items are judged one by one. */
const NO_LIST = ''

/**
 * A dialect whose writer may make any number of messages of one, or none: it writes them as lines. Each
 * line goes out as one payload. JSON text holds no line break.
 */
export class LinesDialect extends Dialect {
  constructor (readonly writer: MessageWriter) {
    super()
  }

  payloads (messages: readonly Written[]): readonly Written[] {
    return messages.flatMap(lines => lines === '' ? [] : lines.split('\n'))
  }

  read (received: string | Buffer): JsonMessage {
    if (typeof received === 'string') return readJsonMessage(received, NO_LIST)
    throw new ProtocolError('invalid_message', 'a message must be a text frame, not a binary one')
  }
}
