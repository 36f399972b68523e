import { escapeLineBreaks, sseCursor, sseMessage } from '@tickwire/protocol'
import type { Wire } from '../../dialects/dialect.js'
import { DEFLATE_FROM_BYTES, deflateBlock } from '../deflate.js'

/** How the text of an event stream becomes the bytes of a response: every byte of one stream is made by one coding. */
export interface ContentCoding {
  /** Payloads as events. */
  readonly events: Wire
  /** What a stream begins with. */
  readonly head: Buffer
  encode (text: string): Buffer
}

export const identity: ContentCoding = {
  events: {
    encode: payloads => eventBytes(payloads.map(sseMessage).join('')),
    encodeCursor: cursor => Buffer.from(sseCursor(cursor))
  },
  head: Buffer.alloc(0),
  encode: text => Buffer.from(text)
}

/** What `escapeLineBreaks` escapes. */
const LINE_BREAKS = ['\u0085', '\u2028', '\u2029'].map(character => Buffer.from(character))

/**
 * PROTOCOL.md, Server-Sent Events: the characters that break lines for some readers only are escaped. A text of as many bytes as
 * characters has none of them, so that for most windows nothing is looked for; in bytes that is faster than in a text (`bench/encode.js`).
 */
function eventBytes (events: string): Buffer {
  const bytes = Buffer.from(events)
  const hasNone = bytes.length === events.length || !LINE_BREAKS.some(character => bytes.includes(character))
  return hasNone ? bytes : Buffer.from(escapeLineBreaks(events))
}

/** RFC 1952, 2.3: deflate, no flags, no time, no hint at the effort, of an unknown system. */
const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])

/**
 * One gzip stream, made of deflate blocks that do not refer to each other: each is made once, for all who read it. It has no
 * end, which would be a checksum of all that one client was sent: an event stream is cut, not finished, and says itself
 * that it is closing.
 */
export const gzip: ContentCoding = {
  events: {
    encode: payloads => gzipPart(eventBytes(payloads.map(sseMessage).join(''))),
    // It holds its cursor twice and comes with each window, once for all: it is worth its deflate, however short.
    encodeCursor: cursor => deflateBlock(Buffer.from(sseCursor(cursor)))
  },
  head: GZIP_HEAD,
  encode: text => gzipPart(Buffer.from(text))
}

function gzipPart (bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes
  return bytes.length < DEFLATE_FROM_BYTES ? storedBlock(bytes) : deflateBlock(bytes)
}

/** RFC 1951, 3.2.4: fewer than 65536 bytes as they are; not the last block. */
function storedBlock (bytes: Buffer): Buffer {
  const block = Buffer.allocUnsafeSlow(5 + bytes.length)
  block[0] = 0
  block.writeUInt16LE(bytes.length, 1)
  block.writeUInt16LE(~bytes.length & 0xffff, 3)
  bytes.copy(block, 5)
  return block
}
