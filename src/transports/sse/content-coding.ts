import { escapeLineBreaks, sseCursor, sseMessage } from '@tickwire/protocol'
import type { Wire } from '../../dialects/dialect.js'
import { DEFLATE_FROM_BYTES, deflateBlock } from '../deflate.js'

/** Turns the text of an event stream into the bytes of a response. One stream uses one coding throughout. */
export interface ContentCoding {
  /** Encodes payloads as events. */
  readonly events: Wire
  /** The bytes that a stream begins with. */
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

/** The characters that `escapeLineBreaks` escapes. */
const LINE_BREAKS = ['\u0085', '\u2028', '\u2029'].map(character => Buffer.from(character))

/**
 * Returns events as bytes. Escapes the characters that only some readers take for line breaks (PROTOCOL.md,
 * Server-Sent Events). A text with as many bytes as characters has none of them, so most windows need no
 * search. Searching the bytes is faster than searching the text (`bench/encode.js`).
 */
function eventBytes (events: string): Buffer {
  const bytes = Buffer.from(events)
  const hasNone = bytes.length === events.length || !LINE_BREAKS.some(character => bytes.includes(character))
  return hasNone ? bytes : Buffer.from(escapeLineBreaks(events))
}

/** RFC 1952, 2.3: deflate, no flags, no time, no hint at the compression level, unknown operating system. */
const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])

/**
 * One gzip stream of deflate blocks that do not refer to each other, so that each block is made once for all
 * clients that read it. The stream has no trailer, which would be a checksum of everything that one client
 * was sent. It needs none: an event stream is cut rather than finished, and `closing` announces its end.
 */
export const gzip: ContentCoding = {
  events: {
    encode: payloads => gzipPart(eventBytes(payloads.map(sseMessage).join(''))),
    // A cursor event contains its cursor twice. It comes with each window and is encoded once for all
    // clients, so it is worth a deflate, however short it is.
    encodeCursor: cursor => deflateBlock(Buffer.from(sseCursor(cursor)))
  },
  head: GZIP_HEAD,
  encode: text => gzipPart(Buffer.from(text))
}

function gzipPart (bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes
  return bytes.length < DEFLATE_FROM_BYTES ? storedBlock(bytes) : deflateBlock(bytes)
}

/** Returns fewer than 65536 bytes as a stored block, which is not the last one (RFC 1951, 3.2.4). */
function storedBlock (bytes: Buffer): Buffer {
  const block = Buffer.allocUnsafeSlow(5 + bytes.length)
  block[0] = 0
  block.writeUInt16LE(bytes.length, 1)
  block.writeUInt16LE(~bytes.length & 0xffff, 3)
  bytes.copy(block, 5)
  return block
}
