import type { Wire } from '../../dialects/dialect.js'
import { BLOCK_END_BYTES, DEFLATE_FROM_BYTES, deflateBlock } from '../deflate.js'

/**
 * WebSocket text frames as a server sends them (RFC 6455, 5.2) are unmasked and unfragmented, so one buffer
 * can go to every client. Several frames are laid into one buffer, which makes one allocation and one write
 * for each window.
 */
export const FINAL_TEXT = 0x81
/** The bit RSV1 says that the payload is deflated (RFC 7692, 6). */
export const FINAL_DEFLATED_TEXT = FINAL_TEXT | 0x40

export const headerBytes = (payload: number): number => payload < 126 ? 2 : payload < 65536 ? 4 : 10

export function writeHeader (buffer: Buffer, at: number, payload: number, first = FINAL_TEXT): number {
  buffer[at] = first
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

/** Returns a text frame for each text, one after another in one buffer. */
export function encodeTextFrames (texts: readonly string[]): Buffer {
  const lengths: number[] = []
  let total = 0
  for (const text of texts) {
    const length = Buffer.byteLength(text)
    lengths.push(length)
    total += headerBytes(length) + length
  }
  const buffer = Buffer.allocUnsafe(total)
  let at = 0
  for (let i = 0; i < texts.length; i++) {
    at = writeHeader(buffer, at, lengths[i]!)
    at += buffer.write(texts[i]!, at)
  }
  return buffer
}

/** Returns a text frame for each text, deflated if that makes it smaller. */
export function encodeDeflatedFrames (texts: readonly string[]): Buffer {
  // A text has no fewer bytes than characters, and seldom more, so counting characters is enough here.
  if (texts.every(({ length }) => length < DEFLATE_FROM_BYTES)) return encodeTextFrames(texts)
  const payloads = texts.map(deflatedPayload)
  const total = payloads.reduce((sum, { bytes }) => sum + headerBytes(bytes.length) + bytes.length, 0)
  const buffer = Buffer.allocUnsafe(total)
  let at = 0
  for (const { first, bytes } of payloads) {
    at = writeHeader(buffer, at, bytes.length, first)
    at += bytes.copy(buffer, at)
  }
  return buffer
}

interface Payload {
  /** The first byte of the frame that the payload goes into. */
  readonly first: number
  readonly bytes: Buffer
}

function deflatedPayload (text: string): Payload {
  const bytes = Buffer.from(text)
  if (bytes.length < DEFLATE_FROM_BYTES) return { first: FINAL_TEXT, bytes }
  // The frame leaves out the end of the block, and the reader adds it again (RFC 7692, 7.2.1).
  const deflated = deflateBlock(bytes).subarray(0, -BLOCK_END_BYTES)
  if (deflated.length >= bytes.length) return { first: FINAL_TEXT, bytes }
  return { first: FINAL_DEFLATED_TEXT, bytes: deflated }
}

export const plainFrames: Wire = { encode: encodeTextFrames }

/** For clients that negotiated permessage-deflate without context takeover. */
export const deflatedFrames: Wire = { encode: encodeDeflatedFrames }
