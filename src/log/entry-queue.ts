import type { Entry, ReadFrom } from './log.js'

/** The columns of an entry's numbers, in this order. */
const OFFSET = 0
const SEQUENCE = 1
const PREVIOUS = 2
const TIMESTAMP = 3
const REPLACES = 4
/** Where the entry's payload ends among the bytes of its block. */
const END = 5
const NUMBERS = 6

/**
 * A block has room for this share of the queue's entries, within these bounds. So the dropped entries that a
 * block still has never take most of the queue's memory.
 */
const LEAST_ENTRIES = 4
const MOST_ENTRIES = 64
const SHARE = 1 / 4
/**
 * An emptied block is kept for reuse only beside this many others, so that it is a small part of the memory.
 */
const SPARE_BESIDE = 3
/** Bytes for the payloads of a block of more than one entry. */
const MOST_BYTES = 16_384
/** A block has room for payloads of this multiple of the mean size in the block before. */
const MARGIN = 1.1
/** Bytes that a character of a payload may take in UTF-8. */
const MOST_PER_CHARACTER = 3

type MessageNumbers = Pick<Entry, 'offset' | 'sequence' | 'previous' | 'timestamp' | 'replaces'>

/** A message as a file has it: its payload is a part of a buffer. */
export interface StoredMessage extends MessageNumbers {
  readonly source: Buffer
  /** Where the payload starts and ends in the source. */
  readonly start: number
  readonly end: number
}

/** Some consecutive entries. They are dropped from the front. */
class Block {
  /** The row of the first entry that is not dropped, and the row after the last. */
  start = 0
  end = 0
  private readonly numbers: Float64Array
  private readonly topics: string[] = []
  private readonly payloads: Buffer

  constructor (readonly entries: number, bytes: number) {
    const memory = new ArrayBuffer(entries * NUMBERS * Float64Array.BYTES_PER_ELEMENT + bytes)
    this.numbers = new Float64Array(memory, 0, entries * NUMBERS)
    this.payloads = Buffer.from(memory, this.numbers.byteLength)
  }

  /** Mean size of a payload, in bytes. */
  get meanSize (): number {
    return this.payloadEnd(this.end - 1) / this.end
  }

  hasRoomFor (payload: string): boolean {
    if (this.end === this.entries) return false
    const { room } = this
    return payload.length * MOST_PER_CHARACTER <= room || Buffer.byteLength(payload) <= room
  }

  hasRoomForBytes (bytes: number): boolean {
    return this.end < this.entries && bytes <= this.room
  }

  private get room (): number {
    return this.payloads.length - this.payloadEnd(this.end - 1)
  }

  clear (): void {
    this.start = this.end = this.topics.length = 0
  }

  /** Appends an entry, for which there must be room. @returns the size of its payload in bytes */
  push (entry: Entry): number {
    const begin = this.payloadEnd(this.end - 1)
    const bytes = this.payloads.write(entry.payload, begin)
    this.note(entry, entry.topic, begin + bytes)
    return bytes
  }

  /** Does the same with a payload in UTF-8. */
  pushStored (message: StoredMessage, topic: string): void {
    const { source, start, end } = message
    const begin = this.payloadEnd(this.end - 1)
    source.copy(this.payloads, begin, start, end)
    this.note(message, topic, begin + end - start)
  }

  private note (
    { offset, sequence, previous, timestamp, replaces }: MessageNumbers, topic: string, end: number
  ): void {
    const { numbers } = this
    const row = this.end * NUMBERS
    numbers[row + OFFSET] = offset
    numbers[row + SEQUENCE] = sequence
    numbers[row + PREVIOUS] = previous
    numbers[row + TIMESTAMP] = timestamp
    numbers[row + REPLACES] = replaces ? 1 : 0
    numbers[row + END] = end
    this.topics[this.end++] = topic
  }

  number (row: number, column: number): number {
    return this.numbers[row * NUMBERS + column]!
  }

  topic (row: number): string {
    return this.topics[row]!
  }

  bytes (row: number): number {
    return this.payloadEnd(row) - this.payloadEnd(row - 1)
  }

  entry (row: number, shard: number): Entry {
    return {
      topic: this.topics[row]!,
      shard,
      offset: this.number(row, OFFSET),
      sequence: this.number(row, SEQUENCE),
      previous: this.number(row, PREVIOUS),
      timestamp: this.number(row, TIMESTAMP),
      payload: this.payloads.toString('utf8', this.payloadEnd(row - 1), this.payloadEnd(row)),
      replaces: this.number(row, REPLACES) === 1
    }
  }

  private payloadEnd (row: number): number {
    return row < 0 ? 0 : this.number(row, END)
  }
}

/**
 * Entries of one shard, oldest first, for an owner that keeps many of them. Blocks outside the garbage
 * collector's heap hold the entries, and an entry becomes an object only when it is read. So the entries add
 * nothing to a collection (ADR 19).
 */
export class EntryQueue {
  size = 0
  /**
   * The one entry of a queue without blocks: most topics of users never get another, and a block costs six
   * objects.
   */
  private only: Entry | undefined
  private readonly blocks: Block[] = []
  /** An emptied block, which the next block reuses if it fits. */
  private spare: Block | undefined

  constructor (private readonly shard: number) {}

  /** @returns the size of the entry's payload in bytes */
  push (entry: Entry): number {
    const { only } = this
    if (++this.size === 1) {
      this.only = entry
      return Buffer.byteLength(entry.payload)
    }
    if (only !== undefined) {
      this.only = undefined
      this.pushIntoBlock(only)
    }
    return this.pushIntoBlock(entry)
  }

  private pushIntoBlock (entry: Entry): number {
    let block = this.blocks.at(-1)
    if (block === undefined || !block.hasRoomFor(entry.payload)) {
      block = this.nextBlock(block, Buffer.byteLength(entry.payload))
      this.blocks.push(block)
    }
    return block.push(entry)
  }

  /** Adds a message from a file: its payload becomes no string, except where it is the only one. */
  pushStored (message: StoredMessage, topic: string): void {
    const { source, start, end } = message
    if (this.size === 0) {
      const { offset, sequence, previous, timestamp, replaces } = message
      const payload = source.toString('utf8', start, end)
      this.push({ topic, shard: this.shard, offset, sequence, previous, timestamp, payload, replaces })
      return
    }
    const { only } = this
    this.size++
    if (only !== undefined) {
      this.only = undefined
      this.pushIntoBlock(only)
    }
    let block = this.blocks.at(-1)
    if (block === undefined || !block.hasRoomForBytes(end - start)) {
      block = this.nextBlock(block, end - start)
      this.blocks.push(block)
    }
    block.pushStored(message, topic)
  }

  // The getters of the oldest and the newest entry need a queue that is not empty, as do `shift` and `pop`.

  get first (): Entry {
    if (this.only !== undefined) return this.only
    const block = this.blocks[0]!
    return block.entry(block.start, this.shard)
  }

  get firstOffset (): number {
    if (this.only !== undefined) return this.only.offset
    const block = this.blocks[0]!
    return block.number(block.start, OFFSET)
  }

  get firstSequence (): number {
    if (this.only !== undefined) return this.only.sequence
    const block = this.blocks[0]!
    return block.number(block.start, SEQUENCE)
  }

  get firstTimestamp (): number {
    if (this.only !== undefined) return this.only.timestamp
    const block = this.blocks[0]!
    return block.number(block.start, TIMESTAMP)
  }

  get last (): Entry {
    if (this.only !== undefined) return this.only
    const block = this.blocks.at(-1)!
    return block.entry(block.end - 1, this.shard)
  }

  get lastOffset (): number {
    if (this.only !== undefined) return this.only.offset
    const block = this.blocks.at(-1)!
    return block.number(block.end - 1, OFFSET)
  }

  /** Returns how many entries have an offset up to this one. */
  countUpTo (offset: number): number {
    const { blocks, only } = this
    if (only !== undefined) return only.offset <= offset ? 1 : 0
    let count = 0
    for (const block of blocks) {
      const row = firstThat(block.start, block.end, row => block.number(row, OFFSET) > offset)
      count += row - block.start
      if (row < block.end) break
    }
    return count
  }

  /** Drops the oldest entry. @returns the size of its payload in bytes */
  shift (): number {
    if (this.only !== undefined) return this.removeOnly(this.only)
    const block = this.blocks[0]!
    const bytes = block.bytes(block.start++)
    this.size--
    if (block.start === block.end) {
      this.blocks.shift()
      this.spare = this.blocks.length < SPARE_BESIDE ? undefined : block
    }
    return bytes
  }

  /** Drops the newest entry. @returns the size of its payload in bytes */
  pop (): number {
    if (this.only !== undefined) return this.removeOnly(this.only)
    const block = this.blocks.at(-1)!
    const bytes = block.bytes(--block.end)
    this.size--
    if (block.start === block.end) this.blocks.pop()
    return bytes
  }

  private removeOnly ({ payload }: Entry): number {
    this.only = undefined
    this.size = 0
    return Buffer.byteLength(payload)
  }

  clear (): void {
    this.only = undefined
    this.blocks.length = this.size = 0
    this.spare = undefined
  }

  /**
   * Calls `visit` for each wanted entry after a position, oldest first, until `visit` returns false. The
   * position is an offset; it may be a sequence if all entries are of one topic.
   */
  after (
    from: ReadFrom,
    visit: (entry: Entry) => boolean,
    wanted?: (topic: string, offset: number) => boolean
  ): void {
    const { blocks, only } = this
    if (only !== undefined) {
      const isAfter = 'offset' in from ? only.offset > from.offset : only.sequence > from.sequence
      if (isAfter && wanted?.(only.topic, only.offset) !== false) visit(only)
      return
    }
    const [column, value] = 'offset' in from ? [OFFSET, from.offset] : [SEQUENCE, from.sequence]
    const endsAfter = (block: Block): boolean => block.number(block.end - 1, column) > value
    for (let i = firstThat(0, blocks.length, i => endsAfter(blocks[i]!)); i < blocks.length; i++) {
      const block = blocks[i]!
      let row = firstThat(block.start, block.end, row => block.number(row, column) > value)
      for (; row < block.end; row++) {
        if (wanted !== undefined && !wanted(block.topic(row), block.number(row, OFFSET))) continue
        if (!visit(block.entry(row, this.shard))) return
      }
    }
  }

  /** @param bytes of the payload that the block must have room for */
  private nextBlock (before: Block | undefined, bytes: number): Block {
    const { spare } = this
    this.spare = undefined
    const mean = (before?.meanSize ?? bytes) * MARGIN
    const share = Math.max(LEAST_ENTRIES, this.size * SHARE)
    const entries = Math.ceil(Math.min(MOST_ENTRIES, share, Math.max(1, MOST_BYTES / mean)))
    if (spare?.entries === entries) {
      spare.clear()
      if (spare.hasRoomForBytes(bytes)) return spare
    }
    return new Block(entries, Math.max(bytes, entries === 1 ? 0 : Math.ceil(entries * mean)))
  }
}

/**
 * Returns the first number of a range that satisfies `isSo`: all numbers after it must, and none before it
 * may.
 */
export function firstThat (low: number, high: number, isSo: (value: number) => boolean): number {
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isSo(middle)) high = middle
    else low = middle + 1
  }
  return low
}
