import { randomInt } from 'node:crypto'
import type { ErrorCode, ShardPosition } from '@tickwire/protocol'

/**
 * The contract of a log: ordered, replayable, and exact about what it lost (ADR 1). A topic's messages carry a sequence that grows by exactly 1; a shard's messages carry an offset that
 * grows by exactly 1 over all its topics. Topics are named by their key (`topicKey` of the protocol package).
 */

/** One message of the log. Entries are shared by all who read them: never changed. */
export interface Entry {
  /** The topic's key. */
  readonly topic: string
  readonly shard: number
  readonly offset: number
  readonly sequence: number
  /** Offset of the topic's message before this one, 0 for its first: what tells whether anything between was lost. */
  readonly previous: number
  /** When the log accepted it, in milliseconds since 1970. */
  readonly timestamp: number
  /** `data` as JSON text. */
  readonly payload: string
  /** The message replaces the topic's whole state. */
  readonly replaces: boolean
  /** Of what a processor has published, where it is read from its topic. */
  readonly origin?: Origin
}

export interface AppendItem {
  readonly topic: string
  readonly payload: string
  readonly replaces?: boolean
  /**
   * A key repeated within {@link IDEMPOTENCY_SECONDS} for its topic is answered as before, and nothing is
   * appended. Whoever appends puts the publisher into it.
   */
  readonly idempotencyKey?: string | undefined
  /** Of what a processor publishes. One that is not newer than the newest of its topic and processor is answered with that one's place, and nothing is appended. */
  readonly origin?: Origin | undefined
}

/**
 * Which message of its input an output of a processor follows from. A processor that takes over from another repeats work, and the log
 * appends none of it twice. Offsets order the messages of a shard, so all inputs of an output topic are on one shard.
 */
export interface Origin {
  /** See {@link PROCESSOR_NAME}. */
  readonly processor: string
  /** The input topic. */
  readonly topic: string
  /** In which the input message was appended. */
  readonly epoch: number
  /** Of the input message. */
  readonly offset: number
  /** Numbers what one input message brings about in one output topic, from 0. */
  readonly part: number
}

/** What a processor may be called. */
export const PROCESSOR_NAME = /^[a-z0-9][a-z0-9._/-]{0,63}$/

/** The newest origin of an output topic and a processor. */
export interface KeptOrigin extends Origin {
  /** Sequence and offset of the output message that had it. */
  readonly sequence: number
  readonly outputOffset: number
}

/** Last sequences that a log keeps, for each topic that it may hold messages of, where nothing else is said. */
export const NAMES_PER_TOPIC = 10

/** Who appends, where that matters. */
export interface AppendOptions {
  /** Of the source or processor that all items come from. */
  readonly fence?: Fence | undefined
  /**
   * The epochs of the inputs' shard, oldest first: they order origins of different epochs. A kept origin of another epoch follows from
   * messages that the log has lost, and every other is newer. All origins of one append are of one processor, and of these epochs.
   */
  readonly lineage?: readonly number[] | undefined
  /** By shard, the epoch that it must be in, so that nothing is appended behind a loss that the appender does not know of. */
  readonly epochs?: readonly number[] | undefined
}

export const IDEMPOTENCY_SECONDS = 600

/** The epoch that no log is ever in: what stands in it is lost. */
export const NO_EPOCH = 0

/** 32 bits, so that two never meet; not {@link NO_EPOCH}. */
export const randomEpoch = (): number => randomInt(NO_EPOCH + 1, 2 ** 32)

/** The shard of what every node must hear: instruments, and what the operators say. Every node follows it. */
export const COMMON_SHARD = 0

/** Share of the retention's bytes that what came last may take once more: as recent entries of the log, and in each node. */
export const RECENT_SHARE = 0.25

/**
 * `overloaded`: the log holds messages of as many topics as it may, or knows as many, and this would be one more; or it takes messages more slowly than they come.
 * `log_unavailable`: a part of the log could not be reached; the message says so where that part may have the item all the same.
 */
export type AppendResult =
  | {
    readonly sequence: number
    readonly offset: number
    readonly shard: number
    /** The item has an origin that is not newer: nothing was appended, and this is the message with the newest origin. */
    readonly repeated?: true
  }
  | { readonly error: ErrorCode, readonly message?: string }

/** The right to append as a source: whoever raised it last has it (ADR 28). */
export interface Fence {
  readonly source: string
  /** Above every token that any shard had of the source when it was raised; in milliseconds since 1970 or more. */
  readonly token: number
  /** Random: should a token be given twice after all, the two are not taken for one. */
  readonly id: string
}

/** An append as a source that has another holder by now. Nothing of it was appended to the shard that refused it. */
export class StaleFence extends Error {
  override readonly name = 'StaleFence'

  constructor ({ source, token }: Fence) {
    super(`messages of the source ${source} with the token ${token} are refused: another server has taken it over`)
  }
}

/** An append to a shard that has begun another epoch than the appender knows. Nothing of it was appended there. */
export class StaleEpoch extends Error {
  override readonly name = 'StaleEpoch'

  constructor (shard: number) {
    super(`shard ${shard} has begun another epoch`)
  }
}

export interface TopicPosition {
  readonly sequence: number
  readonly offset: number
}

export interface Page {
  /** Of the topic's shard, when this was read. */
  readonly epoch: number
  /** Oldest first. */
  readonly entries: readonly Entry[]
  /** The topic's last message, whether the log still holds it or not; undefined for a topic that never was. */
  readonly last: TopicPosition | undefined
  /** The sequence of the oldest message that the log still holds. */
  readonly first: number | undefined
}

/** Whether nothing of a topic was lost behind an offset after which a page of it was read. */
export function followsOn ({ entries: [first], last }: Page, after: number): boolean {
  return first === undefined ? (last?.offset ?? 0) <= after : first.previous <= after
}

/** A topic's state. */
export interface Snapshot {
  readonly topic: string
  readonly epoch: number
  /** Of the last message folded in. */
  readonly sequence: number
  /** When the log accepted that message, in milliseconds since 1970. */
  readonly timestamp: number
  /** The state as JSON text. */
  readonly payload: string
  /** The shard's offset when this was read: every message of the topic up to here is folded in, none beyond. */
  readonly asOf: number
}

/** An epoch and the offset of its first message. A position of the epoch before is good if it lies before `start`. */
export interface EpochStart {
  readonly epoch: number
  readonly start: number
}

export interface ShardHead {
  readonly epoch: number
  /** Of the shard's last message, 0 where there is none. */
  readonly offset: number
  /** The epochs known, oldest first; the last is the current one. */
  readonly epochs: readonly EpochStart[]
}

/** Whether a position lies in the log's past, so that what it stands for was not lost (PROTOCOL.md, Epochs). */
export function isGood (position: ShardPosition, head: ShardHead): boolean {
  const start = firstLost(position.epoch, head)
  return start === undefined ? position.offset <= head.offset : position.offset < start
}

/** The offset from which on an epoch's messages are lost; undefined for the current epoch, and 0 for one that is not known. */
function firstLost (epoch: number, { epochs }: ShardHead): number | undefined {
  const known = epochs.findLastIndex(other => other.epoch === epoch)
  if (known < 0) return 0
  const later = epochs.slice(known + 1)
  return later.length === 0 ? undefined : Math.min(...later.map(({ start }) => start))
}

/** Up to which offset a position's messages are left. Of an epoch that is not known, all before the present one may be lost. */
export function lastKept (position: ShardPosition, head: ShardHead): number {
  if (isGood(position, head)) return position.offset
  return (firstLost(position.epoch, head) || head.epochs.at(-1)!.start) - 1
}

/** The epoch in which an offset was given out. */
export const epochAt = (offset: number, { epochs }: ShardHead): number => (epochs.findLast(({ start }) => start <= offset) ?? epochs[0]!).epoch

export interface TailBatch {
  readonly shard: number
  readonly epoch: EpochStart
  /** In order of offset, without a hole behind the batch before. Empty where only the epoch is news. */
  readonly entries: readonly Entry[]
  /** Where the log does not hold all any more that came behind the batch before: what is left of it is in `entries`. */
  readonly hole?: {
    /** The last offset of it: those of `entries` are no greater. */
    readonly upTo: number
    /** The topics of which messages are missing. */
    readonly lost: ReadonlySet<string>
  }
}

/** A shard that is being followed. */
export interface Tailing {
  /** Where the log stood when that began: batches go on from here. */
  readonly head: ShardHead
  end (): void
}

/** Where to read from: what comes after an offset of the topic's shard, or after a sequence of the topic. */
export type ReadFrom = { readonly offset: number } | { readonly sequence: number }

export interface Log {
  /** 1 to 32, fixed for the life of the log. */
  readonly shards: number
  shardOf (topic: string): number

  /**
   * Appends in order and answers each item in its place: what one shard does not take is an error in its place, what others took stands.
   * @throws ProtocolError `log_unavailable`, `overloaded`, where none was taken because no shard could; StaleFence, where a shard has a
   * newer fence of the source; StaleEpoch
   */
  append (items: readonly AppendItem[], options?: AppendOptions): Promise<readonly AppendResult[]>

  /** By output topic, the newest origin of a processor; of one shard of outputs, or of all. @throws ProtocolError `log_unavailable` */
  origins (processor: string, shard?: number): Promise<ReadonlyMap<string, KeptOrigin>>

  /**
   * Raises a source's fence in every shard: from then on no append with an earlier one of the source is taken.
   * @throws ProtocolError `log_unavailable`
   */
  raise (source: string): Promise<Fence>

  /** At most `limit` messages of a topic. Holds no more than the log does: compare `previous` and `last`. */
  read (topic: string, from: ReadFrom, limit: number): Promise<Page>

  /**
   * Follows a shard: calls `onBatch` for all that is appended behind the head that it answers with, in order; the first of it may
   * come before the answer. @throws ProtocolError `log_unavailable`
   */
  tail (shard: number, onBatch: (batch: TailBatch) => void): Promise<Tailing>

  /** Calls `onChange` when the log cannot be reached any more, and when it can be again. Returns the function that ends it. */
  watch (onChange: (available: boolean) => void): () => void

  /**
   * The newest messages of a shard, about `maxBytes` of them, oldest first, without a hole up to its end; none where they are not
   * at hand. Read when a node begins to follow it, so that clients of another need not be served from their topics one by one.
   */
  recent (shard: number, maxBytes: number): Promise<readonly Entry[]>

  /** Read from the log itself: of some shards in their order, or of all. */
  head (shards?: readonly number[]): Promise<readonly ShardHead[]>

  /** The last position of every topic that ever was, of one shard or of all: read when a node begins to follow it, and after a new epoch. */
  topics (shard?: number): Promise<ReadonlyMap<string, TopicPosition>>

  /**
   * Undefined where the channel has no state, or the topic none that the log knows. A message that the channel fails to fold is taken all
   * the same: the state is not known until another replaces it. @throws what the channel threw, until then
   */
  snapshot (topic: string): Promise<Snapshot | undefined>

  close (): Promise<void>
}

/** Bounds of what a log keeps; what is dropped first is the oldest. */
export interface Retention {
  /** Per topic. */
  readonly messages: number
  /** Per topic. */
  readonly seconds: number
  /** In all (memory) or per shard (Redis). */
  readonly bytes: number
}

/** Time and randomness, given from outside so that tests are exact. */
export interface LogClock {
  /** Milliseconds since 1970. */
  now (): number
  /** 32 random bits. */
  randomEpoch (): number
}
