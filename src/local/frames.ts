/**
 * What goes over the socket between a worker and the process that holds its log: frames of a length, a kind
 * and a body. Numbers are big-endian. Both ends are processes of one server, so a frame that cannot be read
 * is a fault of the program.
 */

/** The version of frames and calls. A worker of another one cannot be served. */
export const LOCAL_VERSION = 1

/**
 * - `call`, by a worker: a number (u32), and the method with its arguments as JSON.
 * - `appends`, by a worker: see append-text.ts.
 * - `answer`, by a worker: the number of a question and the worker's answers, as JSON.
 * - `part`, `result`, `failure`: the number of a call (u32), and a part of its result, the last part, or why
 *   it failed.
 * - `appended`: the results of appends, see append-text.ts.
 * - `batch`: the shard (u8), the offset of its last message (f64), and the text of batch-text.ts.
 * - `question`: its number and text, as JSON.
 */
export const Kind = {
  call: 1,
  appends: 2,
  answer: 3,
  part: 4,
  result: 5,
  failure: 6,
  appended: 7,
  batch: 8,
  question: 9
} as const
export type Kind = typeof Kind[keyof typeof Kind]

/** Bytes of a frame before its body. */
export const HEAD_BYTES = 5
/** Bytes of a batch's frame before its text. */
export const BATCH_HEAD_BYTES = HEAD_BYTES + 9
/** Bytes of the number of a call. */
const NUMBER_BYTES = 4

/** Writes the head of a frame. @param length of the body */
function writeHead (into: Buffer, at: number, kind: Kind, length: number): void {
  into.writeUInt32BE(length + 1, at)
  into[at + 4] = kind
}

/** Makes a frame of a text. */
export function textFrame (kind: Kind, text: string): Buffer {
  const length = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(HEAD_BYTES + length)
  writeHead(frame, 0, kind, length)
  frame.write(text, HEAD_BYTES)
  return frame
}

/** Makes a frame that concerns a call. */
export function numberedFrame (kind: Kind, number: number, body: string | Buffer): Buffer {
  const length = NUMBER_BYTES + Buffer.byteLength(body)
  const frame = Buffer.allocUnsafe(HEAD_BYTES + length)
  writeHead(frame, 0, kind, length)
  frame.writeUInt32BE(number, HEAD_BYTES)
  if (typeof body === 'string') frame.write(body, HEAD_BYTES + NUMBER_BYTES)
  else body.copy(frame, HEAD_BYTES + NUMBER_BYTES)
  return frame
}

/** Reads the number of a call, and the rest of the body. */
export const readNumbered = (body: Buffer): [number: number, rest: Buffer] =>
  [body.readUInt32BE(0), body.subarray(NUMBER_BYTES)]

/** Reads the body of a batch. */
export const readBatch = (body: Buffer): { shard: number, last: number, text: string } =>
  ({ shard: body[0]!, last: body.readDoubleBE(1), text: body.toString('utf8', 9) })

/** Writes a batch's frame. There must be room for {@link BATCH_HEAD_BYTES} and `length`, its text's bytes. */
export function writeBatch (
  into: Buffer, at: number, batch: { readonly shard: number, readonly last: number, readonly text: string },
  length: number
): void {
  writeHead(into, at, Kind.batch, length + BATCH_HEAD_BYTES - HEAD_BYTES)
  into[at + HEAD_BYTES] = batch.shard
  into.writeDoubleBE(batch.last, at + HEAD_BYTES + 1)
  into.write(batch.text, at + BATCH_HEAD_BYTES)
}

/** Cuts what comes from a socket into frames. */
export class FrameReader {
  /** What came of a frame that is not whole. */
  private chunks: Buffer[] = []
  private waiting = 0
  /** How many bytes are needed before there is anything to do. */
  private needed = HEAD_BYTES

  constructor (private readonly onFrame: (kind: Kind, body: Buffer) => void) {}

  take (chunk: Buffer): void {
    this.chunks.push(chunk)
    this.waiting += chunk.length
    if (this.waiting < this.needed) return
    const bytes = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks)
    let at = 0
    this.needed = HEAD_BYTES
    while (bytes.length - at >= HEAD_BYTES) {
      const end = at + HEAD_BYTES - 1 + bytes.readUInt32BE(at)
      if (end > bytes.length) {
        this.needed = end - at
        break
      }
      this.onFrame(bytes[at + 4] as Kind, bytes.subarray(at + HEAD_BYTES, end))
      at = end
    }
    this.chunks = at === bytes.length ? [] : [bytes.subarray(at)]
    this.waiting = bytes.length - at
  }
}
