import type { JsonMessage } from '@tickwire/protocol'
import type { Format, MessageWriter, OutgoingMessage, Written } from '../hub/format.js'

/**
 * Turns payloads into bytes that a transport can send as they are, the same bytes for all its clients. A
 * payload is what the transport carries as one unit: a frame, or an event.
 */
export interface Wire {
  encode (payloads: readonly Written[]): Buffer
  /**
   * Encodes a cursor, if the wire has a form of its own for it. Without this method, a cursor is a message
   * like any other.
   */
  encodeCursor? (cursor: string): Buffer
}

/**
 * How messages look, in both directions. A transport is given a dialect, and carries its payloads without
 * knowing what they say. A new dialect is a folder here and a line in the registry.
 */
export abstract class Dialect {
  /** Writes the messages of the server. */
  abstract readonly writer: MessageWriter
  /** Whether payloads are JSON arrays. Several of them may be put together, up to `MAX_ARRAY_BYTES`. */
  readonly arrays: boolean = false
  private readonly formats = new Map<Wire, Format>()

  /** Returns written messages, in order, as payloads. */
  abstract payloads (messages: readonly Written[]): readonly Written[]

  /**
   * Reads a message of a client as an action in the native form (PROTOCOL.md, Client → server).
   * @param received a text or bytes
   * @throws ProtocolError `invalid_json`, `invalid_message`
   */
  abstract read (received: string | Buffer): JsonMessage

  /**
   * Returns the format of this dialect on a wire: always the same object for the same wire, so that all its
   * clients share bytes.
   */
  on (wire: Wire): Format {
    let format = this.formats.get(wire)
    if (format === undefined) {
      format = new WireFormat(this, wire)
      this.formats.set(wire, format)
    }
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
