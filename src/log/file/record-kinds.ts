import type { EpochStart, Fence } from '../log.js'

/**
 * What records a frame has. A record is its kind, one byte, and what follows. Numbers are doubles, except
 * counts, lengths, and the numbers of texts, of 4 bytes. All are little-endian. A text has its length before
 * it.
 */
export const Record = {
  /** A text, to which the segment gives the next number, from 0: the name of a topic or a processor. */
  text: 1,
  /** An append begins: the time of its messages. */
  time: 2,
  /** Flags, topic, offset, sequence, previous, origin, key, payload. */
  message: 3,
  /** Where all shards stand, fences and time: {@link ShardsText}, as JSON. A segment begins with it. */
  shards: 4,
  /** An idempotency key. Each segment has all keys right after `shards`. */
  key: 5,
  /** Where a topic stands right here, its state, and its newest origins. */
  topic: 6,
  /** The segment has a record of each topic now: nothing of older segments is needed but their messages. */
  checkpointEnd: 7,
  /** A fence was raised: {@link Fence}, as JSON. */
  fence: 8,
  /** A process opened the log: {@link OpenedText}, as JSON. Until `closed`, its end is not known. */
  opened: 9,
  /** The process has written everything. */
  closed: 10
} as const

/** Flags of a message. */
export const REPLACES = 1
export const HAS_KEY = 2
export const HAS_ORIGIN = 4

/** Flags of a topic. */
export const HAS_STATE = 1
export const STATE_FAILED = 2

export interface ShardsText {
  readonly time: number
  readonly shards: ReadonlyArray<{ readonly offset: number, readonly epochs: readonly EpochStart[] }>
  readonly fences: readonly Fence[]
}

export interface OpenedText {
  readonly time: number
  /** By shard. */
  readonly epochs: ReadonlyArray<readonly EpochStart[]>
}
