import { MAX_ARRAY_BYTES } from '@tickwire/protocol'
import type { Wire } from '../../dialects/dialect.js'
import { BLOCK_END_BYTES, DEFLATE_FROM_BYTES, deflateBlock } from '../deflate.js'
import { encodeTextFrames, FINAL_DEFLATED_TEXT, FINAL_TEXT, headerBytes, writeHeader } from './frame.js'

/**
 * Frames whose payloads are JSON arrays (`tickwire.v1.batch`). What a client gets in a window comes from many
 * topics, and each of them is encoded once for all clients. Such frames are put together to one without
 * encoding anything again: a client handles one message then, where it would handle one for each topic.
 */

const OPENING = '['.charCodeAt(0)
const COMMA = ','.charCodeAt(0)
const CLOSING = ']'.charCodeAt(0)
/** The header of a stored block (RFC 1951, 3.2.4) that begins at the first bit of a byte. */
const STORED = 0x00
/** A stored block says its length after its header, in two bytes, and the complement in two more. */
const LENGTH_BYTES = 4
const BRACKET_BYTES = 1
/** The stored block of the opening bracket. */
const OPEN_BYTES = 1 + LENGTH_BYTES + BRACKET_BYTES
/**
 * The stored block of the closing bracket, and the header of an empty one: a message leaves out its length
 * (RFC 7692, 7.2.1). The first needs no header of its own: the part before it ends with a sync flush, which
 * is the header of a stored block, too.
 */
const CLOSE_BYTES = LENGTH_BYTES + BRACKET_BYTES + 1
const MOST_HEADER_BYTES = 10

/** By frame that is deflated, the bytes between the brackets of its array. */
const inflatedBytes = new WeakMap<Buffer, number>()

/** Returns a text frame for each array, deflated if that makes it smaller. */
function encodeDeflatedArrays (texts: readonly string[]): Buffer {
  const frames = texts.map(encodeDeflatedArray)
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames)
}

function encodeDeflatedArray (text: string): Buffer {
  if (text.length < DEFLATE_FROM_BYTES) return encodeTextFrames([text])
  const inner = Buffer.from(text.slice(1, -1))
  const block = deflateBlock(inner)
  const end = block.length - BLOCK_END_BYTES
  if (OPEN_BYTES + end + CLOSE_BYTES >= inner.length + 2) return encodeTextFrames([text])
  const frame = deflatedFrame([{ buffer: block, start: 0, end, deflated: true }])
  inflatedBytes.set(frame, inner.length)
  return frame
}

/** What is between the brackets of an array: some bytes of a buffer. */
interface Part {
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
  readonly deflated: boolean
}

interface Inner extends Part {
  readonly inflatedBytes: number
}

/** Returns undefined for several frames, or one that is too long: they stay as they are. */
function innerOf (frame: Buffer): Inner | undefined {
  const length = frame[1]!
  const payload = length === 126 ? frame.readUInt16BE(2) : length
  const start = headerBytes(payload)
  if (length === 127 || start + payload !== frame.length) return undefined
  if (frame[0] === FINAL_TEXT) {
    const [first, end] = [start + BRACKET_BYTES, frame.length - BRACKET_BYTES]
    return { buffer: frame, start: first, end, deflated: false, inflatedBytes: end - first }
  }
  const bytes = inflatedBytes.get(frame)
  if (bytes === undefined) return undefined
  const end = frame.length - CLOSE_BYTES
  return { buffer: frame, start: start + OPEN_BYTES, end, deflated: true, inflatedBytes: bytes }
}

/**
 * Joins frames of arrays: those that follow one another become one, as long as its array has at most
 * {@link MAX_ARRAY_BYTES}.
 */
export function joinArrayFrames (frames: readonly Buffer[]): Buffer {
  const joined: Buffer[] = []
  let group: Inner[] = []
  let bytes = 1
  const endGroup = (): void => {
    if (group.length === 1) joined.push(group[0]!.buffer)
    else if (group.length > 1) joined.push(frameOf(group))
    group = []
    bytes = 1
  }
  for (const frame of frames) {
    const inner = innerOf(frame)
    if (inner === undefined || bytes + inner.inflatedBytes + 1 > MAX_ARRAY_BYTES) endGroup()
    if (inner === undefined) joined.push(frame)
    else {
      group.push(inner)
      bytes += inner.inflatedBytes + 1
    }
  }
  endGroup()
  return joined.length === 1 ? joined[0]! : Buffer.concat(joined)
}

const frameOf = (parts: readonly Part[]): Buffer => (
  parts.some(({ deflated }) => deflated) ? deflatedFrame(parts) : plainFrame(parts)
)

function plainFrame (parts: readonly Part[]): Buffer {
  const payload = parts.reduce((sum, { start, end }) => sum + end - start + 1, 1)
  const frame = Buffer.allocUnsafe(headerBytes(payload) + payload)
  let at = writeHeader(frame, 0, payload)
  for (const [index, part] of parts.entries()) {
    frame[at++] = index === 0 ? OPENING : COMMA
    at += part.buffer.copy(frame, at, part.start, part.end)
  }
  frame[at] = CLOSING
  return frame
}

/**
 * Puts what is not deflated into stored blocks: brackets, commas, and parts too short to deflate. Deflated
 * parts end with a sync flush without its length (see {@link CLOSE_BYTES}).
 */
function deflatedFrame (parts: readonly Part[]): Buffer {
  const bytes = parts.reduce((sum, { start, end }) => sum + end - start + OPEN_BYTES, CLOSE_BYTES)
  const buffer = Buffer.allocUnsafe(MOST_HEADER_BYTES + bytes)
  let at = MOST_HEADER_BYTES
  buffer[at++] = STORED
  let stored = at
  const begin = (byte: number): void => {
    stored = at
    at += LENGTH_BYTES
    buffer[at++] = byte
  }
  const end = (): void => {
    const length = at - stored - LENGTH_BYTES
    buffer.writeUInt16LE(length, stored)
    buffer.writeUInt16LE(length ^ 0xffff, stored + 2)
  }
  let isStored = true
  begin(OPENING)
  for (const [index, part] of parts.entries()) {
    if (index > 0) {
      if (isStored) buffer[at++] = COMMA
      else begin(COMMA)
    }
    if (part.deflated) end()
    at += part.buffer.copy(buffer, at, part.start, part.end)
    isStored = !part.deflated
  }
  if (isStored) buffer[at++] = CLOSING
  else begin(CLOSING)
  end()
  buffer[at++] = STORED
  const payload = at - MOST_HEADER_BYTES
  const first = MOST_HEADER_BYTES - headerBytes(payload)
  writeHeader(buffer, first, payload, FINAL_DEFLATED_TEXT)
  return buffer.subarray(first, at)
}

/** For clients that negotiated permessage-deflate without context takeover. */
export const deflatedArrays: Wire = { encode: encodeDeflatedArrays }
