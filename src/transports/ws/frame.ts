import type { Format } from '../../hub/frame.js'

/**
 * WebSocket text frames as a server sends them (RFC 6455, 5.2): unmasked and unfragmented, so that one buffer can
 * go to every client. Several frames are laid into one buffer: one allocation and one write a window.
 */
const FINAL_TEXT = 0x81

const headerBytes = (payload: number): number => payload < 126 ? 2 : payload < 65536 ? 4 : 10

function writeHeader (buffer: Buffer, at: number, payload: number): number {
  buffer[at] = FINAL_TEXT
  if (payload < 126) {
    buffer[at + 1] = payload
    return at + headerBytes(payload)
  }
  if (payload < 65536) {
    buffer[at + 1] = 126
    buffer.writeUInt16BE(payload, at + 2)
    return at + headerBytes(payload)
  }
  buffer[at + 1] = 127
  buffer.writeBigUInt64BE(BigInt(payload), at + 2)
  return at + headerBytes(payload)
}

/** A text frame for each text, one behind the other. */
export function encodeTextFrames (texts: readonly string[]): Buffer {
  const lengths = texts.map(text => Buffer.byteLength(text))
  const total = lengths.reduce((sum, length) => sum + headerBytes(length) + length, 0)
  const buffer = Buffer.allocUnsafeSlow(total)
  let at = 0
  for (const [index, text] of texts.entries()) {
    at = writeHeader(buffer, at, lengths[index]!)
    at += buffer.write(text, at)
  }
  return buffer
}

const cursorMessage = (cursor: string): string => `{"type":"cursor","cursor":"${cursor}"}`

/** Subprotocol `tickwire.v1.json`: a text frame is one message. */
export const jsonFormat: Format = {
  name: 'json',
  decimals: 'string',
  encode: encodeTextFrames,
  encodeCursor: cursor => encodeTextFrames([cursorMessage(cursor)])
}

/** Subprotocol `tickwire.v1.batch`: a text frame is an array of messages. */
export const batchFormat: Format = {
  name: 'batch',
  decimals: 'string',
  encode: messages => encodeTextFrames([`[${messages.join(',')}]`]),
  encodeCursor: cursor => encodeTextFrames([`[${cursorMessage(cursor)}]`])
}
