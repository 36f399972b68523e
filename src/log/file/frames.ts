import zlib from 'node:zlib'
import type { DiskFile } from './disk.js'

/**
 * A file of the log is a header, then frames. A frame has the length of its body and the CRC-32 of its body,
 * 4 bytes each, and the body: records (`record-kinds.ts`). What was written together is one frame, so a
 * write that the system cut off is no frame.
 */

export const FRAME_HEAD_BYTES = 8
export const HEADER_BYTES = 32
const MAGIC = 'TICKWLOG'
/** The version of this layout. A server reads no other. */
export const VERSION = 1
/** How much of a file is read at a time. */
const CHUNK_BYTES = 4 * 1024 * 1024

/** Whether this Node has the checksum that the files need. */
export const hasChecksum = (): boolean => typeof zlib.crc32 === 'function'

export interface Header {
  readonly version: number
  readonly shards: number
  /** The number of the segment. */
  readonly number: number
}

export function headerBytes ({ version, shards, number }: Header): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.write(MAGIC, 0, 'latin1')
  bytes.writeUInt32LE(version, 8)
  bytes.writeUInt32LE(shards, 12)
  bytes.writeDoubleLE(number, 16)
  bytes.writeUInt32LE(zlib.crc32(bytes.subarray(0, 24)), 24)
  return bytes
}

/** Returns undefined if the bytes are no header. */
export function readHeader (bytes: Buffer): Header | undefined {
  if (bytes.length < HEADER_BYTES || bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined
  if (zlib.crc32(bytes.subarray(0, 24)) !== bytes.readUInt32LE(24)) return undefined
  return { version: bytes.readUInt32LE(8), shards: bytes.readUInt32LE(12), number: bytes.readDoubleLE(16) }
}

/** Writes the head of a frame, whose body stands behind it already. */
export function sealFrame (frame: Buffer): Buffer {
  const body = frame.subarray(FRAME_HEAD_BYTES)
  frame.writeUInt32LE(body.length, 0)
  frame.writeUInt32LE(zlib.crc32(body), 4)
  return frame
}

/**
 * Calls `visit` for the body of each frame, in order, until the file ends, a frame is damaged, or `visit`
 * returns false. The body is only good until `visit` returns.
 * @returns where the last good frame ends
 */
export async function readFrames (
  file: DiskFile, size: number, visit: (body: Buffer) => boolean
): Promise<number> {
  let buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  /** Where the buffer's bytes stand in the file, and how many of them are filled. */
  let start = HEADER_BYTES
  let filled = 0
  let at = 0
  const endsWithin = async (bytes: number): Promise<boolean> => {
    if (filled - at >= bytes) return true
    if (start + at + bytes > size) return false
    const rest = buffer.subarray(at, filled)
    const next = bytes > buffer.length ? Buffer.allocUnsafe(bytes) : buffer
    rest.copy(next)
    buffer = next
    start += at
    at = 0
    filled = rest.length
    filled += await file.read(buffer.subarray(filled, Math.min(buffer.length, size - start)), start + filled)
    return filled >= bytes
  }
  for (;;) {
    if (!await endsWithin(FRAME_HEAD_BYTES)) return start + at
    const length = buffer.readUInt32LE(at)
    const checksum = buffer.readUInt32LE(at + 4)
    // A file that the system has only made longer is full of zeros, and the checksum of nothing is 0.
    if (length === 0 || !await endsWithin(FRAME_HEAD_BYTES + length)) return start + at
    const body = buffer.subarray(at + FRAME_HEAD_BYTES, at + FRAME_HEAD_BYTES + length)
    if (zlib.crc32(body) !== checksum || !visit(body)) return start + at
    at += FRAME_HEAD_BYTES + length
  }
}
