import type { AppendItem, Entry, Fence, KeptOrigin } from '../log.js'
import type { RememberedKey } from '../memory/answered-keys.js'
import type { TopicHistory } from '../memory/topic-history.js'
import { FRAME_HEAD_BYTES, sealFrame } from './frames.js'
import {
  HAS_KEY, HAS_ORIGIN, HAS_STATE, type OpenedText, Record, REPLACES, type ShardsText, STATE_FAILED
} from './record-kinds.js'

const FIRST_BYTES = 64 * 1024
/** A buffer that one large append has made longer than this is not kept. */
const MOST_KEPT_BYTES = 16 * 1024 * 1024
/** Bytes that a character may take in UTF-8. */
const MOST_PER_CHARACTER = 3
/** More than the numbers of any record take. */
const NUMBERS_BYTES = 128

/** The texts that the records of one segment name by number. */
export type TextTable = Map<string, number>

/** Writes records into one frame after another. */
export class RecordWriter {
  private buffer = Buffer.allocUnsafe(FIRST_BYTES)
  private view: DataView = viewOf(this.buffer)
  private end = FRAME_HEAD_BYTES
  /** The time of an append of which no message was written yet: most often it is repeated. */
  private time: number | undefined
  /** The texts of the segment that the next frame goes to. */
  texts: TextTable = new Map()

  /** Bytes of the records since the last frame. */
  get bytes (): number {
    return this.end - FRAME_HEAD_BYTES
  }

  /** Returns the records as a frame, and begins the next. */
  takeFrame (): Buffer {
    const frame = sealFrame(Buffer.from(this.buffer.subarray(0, this.end)))
    this.end = FRAME_HEAD_BYTES
    if (this.buffer.length > MOST_KEPT_BYTES) this.grow(FIRST_BYTES)
    return frame
  }

  /** The messages that come next were appended then. */
  noteTime (timestamp: number): void {
    this.time = timestamp
  }

  noteMessage (
    { topic, offset, sequence, previous, payload, replaces }: Entry,
    { idempotencyKey, origin }: Pick<AppendItem, 'idempotencyKey' | 'origin'>
  ): void {
    if (this.time !== undefined) {
      this.reserve(NUMBERS_BYTES)
      this.byte(Record.time)
      this.double(this.time)
      this.time = undefined
    }
    const id = this.idOf(topic)
    const processor = origin === undefined ? 0 : this.idOf(origin.processor)
    const input = origin === undefined ? 0 : this.idOf(origin.topic)
    this.reserve(NUMBERS_BYTES)
    this.byte(Record.message)
    this.byte((replaces ? REPLACES : 0) | (idempotencyKey === undefined ? 0 : HAS_KEY) |
      (origin === undefined ? 0 : HAS_ORIGIN))
    this.integer(id)
    this.double(offset)
    this.double(sequence)
    this.double(previous)
    if (origin !== undefined) {
      this.integer(processor)
      this.integer(input)
      this.double(origin.epoch)
      this.double(origin.offset)
      this.double(origin.part)
    }
    if (idempotencyKey !== undefined) this.text(idempotencyKey)
    this.text(payload)
  }

  noteFence (fence: Fence): void {
    this.json(Record.fence, fence)
  }

  noteShards (shards: ShardsText): void {
    this.json(Record.shards, shards)
  }

  noteOpened (opened: OpenedText): void {
    this.json(Record.opened, opened)
  }

  noteClosed (time: number): void {
    this.reserve(NUMBERS_BYTES)
    this.byte(Record.closed)
    this.double(time)
  }

  noteCheckpointEnd (): void {
    this.reserve(NUMBERS_BYTES)
    this.byte(Record.checkpointEnd)
  }

  noteKey ({ seconds, key, expiresAt, message }: RememberedKey): void {
    this.reserve(NUMBERS_BYTES)
    this.byte(Record.key)
    this.double(seconds)
    this.double(expiresAt)
    this.integer(message.shard)
    this.double(message.offset)
    this.double(message.sequence)
    this.text(key)
  }

  /** Notes where a topic that has nothing else stands. */
  noteDormant (topic: string, sequence: number, offset: number): void {
    this.topic(topic, sequence, offset, 0)
    this.reserve(NUMBERS_BYTES)
    this.integer(0)
  }

  /** Notes where a topic stands, its state, and the newest origins that it has. */
  noteTopic (history: TopicHistory): void {
    const { topic, lastSequence, lastOffset, newestOrigins } = history
    try {
      const state = history.state()
      this.topic(topic, lastSequence, lastOffset, state === undefined ? 0 : HAS_STATE)
      if (state !== undefined) {
        this.double(state.sequence)
        this.double(state.timestamp)
        this.text(state.payload)
      }
    } catch (error) {
      this.topic(topic, lastSequence, lastOffset, STATE_FAILED)
      this.double(lastSequence)
      this.double(0)
      this.text(error instanceof Error ? error.message : String(error))
    }
    this.origins(newestOrigins)
  }

  private origins (origins: readonly KeptOrigin[]): void {
    const ids = origins.map(({ processor, topic }) => [this.idOf(processor), this.idOf(topic)] as const)
    this.reserve(NUMBERS_BYTES * (1 + origins.length))
    this.integer(origins.length)
    for (const [index, { epoch, offset, part, sequence, outputOffset }] of origins.entries()) {
      const [processor, topic] = ids[index]!
      this.integer(processor)
      this.integer(topic)
      for (const number of [epoch, offset, part, sequence, outputOffset]) this.double(number)
    }
  }

  private topic (topic: string, sequence: number, offset: number, flags: number): void {
    const id = this.idOf(topic)
    this.reserve(NUMBERS_BYTES)
    this.byte(Record.topic)
    this.byte(flags)
    this.integer(id)
    this.double(sequence)
    this.double(offset)
  }

  /** Returns the number of a text, which the segment names from now on. */
  private idOf (text: string): number {
    const known = this.texts.get(text)
    if (known !== undefined) return known
    const id = this.texts.size
    this.texts.set(text, id)
    this.reserve(NUMBERS_BYTES)
    this.byte(Record.text)
    this.text(text)
    return id
  }

  private json (kind: number, value: object): void {
    this.reserve(NUMBERS_BYTES)
    this.byte(kind)
    this.text(JSON.stringify(value))
  }

  // The writers below need room, for which `reserve` was called; only `text` makes its own, and as much more.

  private text (text: string): void {
    this.reserve(text.length * MOST_PER_CHARACTER + NUMBERS_BYTES)
    const bytes = this.buffer.write(text, this.end + 4)
    this.view.setUint32(this.end, bytes, true)
    this.end += 4 + bytes
  }

  private byte (value: number): void {
    this.buffer[this.end++] = value
  }

  private integer (value: number): void {
    this.view.setUint32(this.end, value, true)
    this.end += 4
  }

  private double (value: number): void {
    this.view.setFloat64(this.end, value, true)
    this.end += 8
  }

  private reserve (bytes: number): void {
    if (this.end + bytes > this.buffer.length) this.grow(Math.max(2 * this.buffer.length, this.end + bytes))
  }

  private grow (bytes: number): void {
    const buffer = Buffer.allocUnsafe(bytes)
    this.buffer.copy(buffer, 0, 0, this.end)
    this.buffer = buffer
    this.view = viewOf(buffer)
  }
}

const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView => new DataView(buffer, byteOffset, length)
