import type { Entry, ReadFrom } from './log.js'

/** What each entry has as numbers, in this order. */
const OFFSET = 0
const SEQUENCE = 1
const PREVIOUS = 2
const TIMESTAMP = 3
const REPLACES = 4
/** Where its payload ends among the bytes of its block. */
const END = 5
const NUMBERS = 6

/** Entries of a block: a share of those that are held, so that what a block still has of dropped ones is never most of it. */
const LEAST_ENTRIES = 4
const MOST_ENTRIES = 64
const SHARE = 1 / 4
/** Blocks beside which an empty one is kept: what is held must be much more. */
const SPARE_BESIDE = 3
/** Bytes for the payloads of a block of more than one entry. */
const MOST_BYTES = 16_384
/** What a block has room for, by what the payloads before it took. */
const MARGIN = 1.1
/** Bytes that a character of a payload may take. */
const MOST_PER_CHARACTER = 3

/** Some entries that follow each other. The first of them are dropped first. */
class Block {
  /** Of the first that is held, and behind the last. */
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

  /** Of a payload, in bytes. */
  get meanSize (): number {
    return this.payloadEnd(this.end - 1) / this.end
  }

  hasRoomFor (payload: string): boolean {
    if (this.end === this.entries) return false
    const room = this.payloads.length - this.payloadEnd(this.end - 1)
    return payload.length * MOST_PER_CHARACTER <= room || Buffer.byteLength(payload) <= room
  }

  clear (): void {
    this.start = this.end = this.topics.length = 0
  }

  /** @returns bytes of its payload, for which there must be room */
  push ({ topic, payload, offset, sequence, previous, timestamp, replaces }: Entry): number {
    const begin = this.payloadEnd(this.end - 1)
    const bytes = this.payloads.write(payload, begin)
    const { numbers } = this
    const row = this.end * NUMBERS
    numbers[row + OFFSET] = offset
    numbers[row + SEQUENCE] = sequence
    numbers[row + PREVIOUS] = previous
    numbers[row + TIMESTAMP] = timestamp
    numbers[row + REPLACES] = replaces ? 1 : 0
    numbers[row + END] = begin + bytes
    this.topics[this.end++] = topic
    return bytes
  }

  number (place: number, column: number): number {
    return this.numbers[place * NUMBERS + column]!
  }

  topic (place: number): string {
    return this.topics[place]!
  }

  bytes (place: number): number {
    return this.payloadEnd(place) - this.payloadEnd(place - 1)
  }

  entry (place: number, shard: number): Entry {
    return {
      topic: this.topics[place]!,
      shard,
      offset: this.number(place, OFFSET),
      sequence: this.number(place, SEQUENCE),
      previous: this.number(place, PREVIOUS),
      timestamp: this.number(place, TIMESTAMP),
      payload: this.payloads.toString('utf8', this.payloadEnd(place - 1), this.payloadEnd(place)),
      replaces: this.number(place, REPLACES) === 1
    }
  }

  private payloadEnd (place: number): number {
    return place < 0 ? 0 : this.number(place, END)
  }
}

/**
 * Entries of one shard, oldest first, for those who hold many of them. They are kept outside of the garbage collector's heap, in
 * blocks that are used again, and an entry is made when it is read: what is held costs a collection nothing (ADR 19).
 */
export class EntryQueue {
  size = 0
  /** The one entry of a queue without blocks: most topics of users never have another, and a block costs six objects. */
  private only: Entry | undefined
  private readonly blocks: Block[] = []
  /** One that was emptied, for the next to come. */
  private spare: Block | undefined

  constructor (private readonly shard: number) {}

  /** @returns bytes of its payload */
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
    if (block === undefined || !block.hasRoomFor(entry.payload)) this.blocks.push(block = this.nextBlock(block, entry.payload))
    return block.push(entry)
  }

  // The oldest and the newest: there must be one.

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

  /** Drops the oldest. @returns bytes of its payload */
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

  /** Drops the newest. @returns bytes of its payload */
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
   * Calls `visit` for each entry after an offset, or a sequence where all are of one topic, that is wanted, oldest first, until
   * it returns false.
   */
  after (from: ReadFrom, visit: (entry: Entry) => boolean, wanted?: (topic: string, offset: number) => boolean): void {
    const { blocks, only } = this
    if (only !== undefined) {
      if (('offset' in from ? only.offset > from.offset : only.sequence > from.sequence) && wanted?.(only.topic, only.offset) !== false) visit(only)
      return
    }
    const [column, value] = 'offset' in from ? [OFFSET, from.offset] : [SEQUENCE, from.sequence]
    for (let i = firstThat(0, blocks.length, i => blocks[i]!.number(blocks[i]!.end - 1, column) > value); i < blocks.length; i++) {
      const block = blocks[i]!
      for (let place = firstThat(block.start, block.end, place => block.number(place, column) > value); place < block.end; place++) {
        if (wanted !== undefined && !wanted(block.topic(place), block.number(place, OFFSET))) continue
        if (!visit(block.entry(place, this.shard))) return
      }
    }
  }

  private nextBlock (before: Block | undefined, payload: string): Block {
    const { spare } = this
    this.spare = undefined
    const bytes = Buffer.byteLength(payload)
    const mean = (before?.meanSize ?? bytes) * MARGIN
    const entries = Math.ceil(Math.min(MOST_ENTRIES, Math.max(LEAST_ENTRIES, this.size * SHARE), Math.max(1, MOST_BYTES / mean)))
    if (spare?.entries === entries) {
      spare.clear()
      if (spare.hasRoomFor(payload)) return spare
    }
    return new Block(entries, Math.max(bytes, entries === 1 ? 0 : Math.ceil(entries * mean)))
  }
}

/** The first number of a range that is so; all behind it must be, and none before it. */
export function firstThat (low: number, high: number, isSo: (value: number) => boolean): number {
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isSo(middle)) high = middle
    else low = middle + 1
  }
  return low
}
