import type { JsonMessage } from '@tickwire/protocol'
import type { Format, MessageWriter, OutgoingMessage, Written } from '../hub/format.js'

/**
 * How payloads become bytes that a transport can send as they are, the same for all its clients. A payload is what the transport
 * carries as one: a frame, or an event.
 */
export interface Wire {
  encode (payloads: readonly Written[]): Buffer
  /** The commit mark, where the wire has a form of its own for it. Absent where it is a message like any other. */
  encodeCursor? (cursor: string): Buffer
}

/**
 * How messages look, in both directions. A transport is given a dialect and carries its payloads without knowing what they say.
 * A new dialect is a folder here and a line in the registry.
 */
export abstract class Dialect {
  /** Writes what the server says. */
  abstract readonly writer: MessageWriter
  private readonly formats = new Map<Wire, Format>()

  /** Puts written messages, in order, into payloads. */
  abstract payloads (messages: readonly Written[]): readonly Written[]

  /**
   * Reads what a client said as an action in the native form (PROTOCOL.md, Client → server).
   * @param received a text, or bytes
   * @throws ProtocolError `invalid_json`, `invalid_message`
   */
  abstract read (received: string | Buffer): JsonMessage

  /** This dialect on a wire: always the same object for the same wire, so that all who read it share their bytes. */
  on (wire: Wire): Format {
    let format = this.formats.get(wire)
    if (format === undefined) this.formats.set(wire, format = new WireFormat(this, wire))
    return format
  }
}

class WireFormat implements Format {
  private readonly writer: MessageWriter

  constructor (private readonly dialect: Dialect, private readonly wire: Wire) {
    this.writer = dialect.writer
  }

  data (message: OutgoingMessage): Written {
    return this.writer.data(message)
  }

  reset (...given: Parameters<MessageWriter['reset']>): Written {
    return this.writer.reset(...given)
  }

  control (...given: Parameters<MessageWriter['control']>): Written {
    return this.writer.control(...given)
  }

  join (messages: readonly Written[]): Buffer {
    return this.wire.encode(this.dialect.payloads(messages))
  }

  cursor (cursor: string): Buffer {
    if (this.wire.encodeCursor !== undefined) return this.wire.encodeCursor(cursor)
    return this.join([this.control({ type: 'cursor', cursor })])
  }
}
