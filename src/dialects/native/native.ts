import { type Channels, type JsonMessage, ProtocolError, readJsonMessage } from '@tickwire/protocol'
import type { Written } from '../../hub/format.js'
import { Dialect } from '../dialect.js'
import { type Decimals, JsonWriter } from './json-writer.js'

/** The list of `publish`, whose items are judged one by one. */
const LIST = 'messages'

/** PROTOCOL.md, subprotocol `tickwire.v1.json`: a payload is one message. Event streams and polls have it, too. */
export class NativeDialect extends Dialect {
  readonly writer: JsonWriter

  constructor (channels: Channels, decimals: Decimals) {
    super()
    this.writer = new JsonWriter(channels, decimals)
  }

  payloads (messages: readonly Written[]): readonly Written[] {
    return messages
  }

  read (received: string | Buffer): JsonMessage {
    if (typeof received !== 'string') throw new ProtocolError('invalid_message', 'messages are text frames')
    return readJsonMessage(received, LIST)
  }
}
