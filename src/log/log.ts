import { randomInt } from 'node:crypto'
import type { ErrorCode, ShardPosition } from '@tickwire/protocol'

/**
 * The contract of a log: ordered, replayable, and exact about what it lost (ADR 1). The messages of a topic
 * carry a sequence that grows by exactly 1. The messages of a shard carry an offset that grows by exactly 1
 * over all its topics. A topic is named by its key (`topicKey` of the protocol package).
 */

/** One message of the log. All readers share the same object, so nobody may change it. */
export interface Entry {
  /** The topic's key. */
  readonly topic: string
  readonly shard: number
  readonly offset: number
  readonly sequence: number
  /**
   * Offset of the topic's message before this one, 0 for its first. A reader compares it with the offset
   * before to detect a loss.
   */
  readonly previous: number
  /** When the log accepted it, in milliseconds since 1970. */
  readonly timestamp: number
  /** `data` as JSON text. */
  readonly payload: string
  /** The message replaces the topic's whole state. */
  readonly replaces: boolean
  /** Set on a message of a processor when it is read from its topic; a tailed message has none. */
  readonly origin?: Origin
}

export interface AppendItem {
  readonly topic: string
  readonly payload: string
  readonly replaces?: boolean
  /**
   * If the topic repeats a key within the time of its channel (`idempotencySeconds`; default:
   * {@link IDEMPOTENCY_SECONDS}), the log appends nothing and answers with the message that has the key. The
   * caller makes keys of different publishers differ.
   */
  readonly idempotencyKey?: string | undefined
  /**
   * Set by a processor. If the origin is not newer than the newest that the topic has of this processor, the
   * log appends nothing and answers with the message that has the newest.
   */
  readonly origin?: Origin | undefined
}

/**
 * The input message that an output of a processor follows from. A processor that takes over from another
 * repeats some of its work; the origin keeps the log from appending an output twice. Offsets order the
 * messages of one shard only, so all inputs of an output topic must be on one shard.
 */
export interface Origin {
  /** See {@link PROCESSOR_NAME}. */
  readonly processor: string
  /** The input topic. */
  readonly topic: string
  /** The epoch in which the input message was appended. */
  readonly epoch: number
  /** The offset of the input message. */
  readonly offset: number
  /** Counts the outputs of one input message in one output topic, from 0. */
  readonly part: number
}

/** The form of a processor's name. */
export const PROCESSOR_NAME = /^[a-z0-9][a-z0-9._/-]{0,63}$/

/** The newest origin that an output topic has of one processor. */
export interface KeptOrigin extends Origin {
  /** Sequence and offset of the output message that has this origin. */
  readonly sequence: number
  readonly outputOffset: number
}

/** By default a log keeps the last sequences of this many topics for each topic that may have messages. */
export const NAMES_PER_TOPIC = 10

/** Conditions that an append must meet. */
export interface AppendOptions {
  /** The fence of the source or processor that publishes all items. */
  readonly fence?: Fence | undefined
  /**
   * The epochs of the inputs' shard, oldest first; they order origins of different epochs. A kept origin
   * whose epoch is not among them follows from messages that the log has lost, so any other origin is newer.
   * All origins of one append must be of one processor and of these epochs.
   */
  readonly lineage?: readonly number[] | undefined
  /**
   * By shard, the epoch that the shard must be in. It prevents an append after a loss that the appender does
   * not know of.
   */
  readonly epochs?: readonly number[] | undefined
}

export const IDEMPOTENCY_SECONDS = 600

/** No log is ever in this epoch: a position in it counts as lost. */
export const NO_EPOCH = 0

/** Random 32 bits, so that two epochs never meet; never {@link NO_EPOCH}. */
export const randomEpoch = (): number => randomInt(NO_EPOCH + 1, 2 ** 32)

/**
 * The shard of what every node must hear: instruments, and the operators' messages. Every node follows it.
 */
export const COMMON_SHARD = 0

/**
 * Share of the retention's bytes that the newest entries may take a second time, in the log and in each node.
 */
export const RECENT_SHARE = 0.25
/** Share of the retention's bytes up to which a log keeps open messages and drops others first. */
export const PINNED_SHARE = 0.5

/**
 * - `overloaded`: the item would exceed the number of topics that may have messages, or the number of topics
 *   that the log may know; or the log appends more slowly than messages come.
 * - `log_unavailable`: the log could not reach a shard. If that shard may have appended the item all the
 *   same, the message says so.
 */
export type AppendResult =
  | {
    readonly sequence: number
    readonly offset: number
    readonly shard: number
    /**
     * Nothing was appended: the topic has this message under the item's key, or the item's origin was not
     * newer and this is the message with the newest origin.
     */
    readonly repeated?: true
  }
  | { readonly error: ErrorCode, readonly message?: string }

/** The right to append as a source. The node that raised the source's fence last has it (ADR 28). */
export interface Fence {
  readonly source: string
  /**
   * Higher than every token that any shard had of the source before; at least the log's time in ms since
   * 1970.
   */
  readonly token: number
  /** Random: it tells two fences apart if both got the same token. */
  readonly id: string
}

/** The source has another holder by now. The shard that refused the append took none of its items. */
export class StaleFence extends Error {
  override readonly name = 'StaleFence'

  constructor ({ source, token }: Fence) {
    super(
      `messages of the source ${source} with the token ${token} are refused: ` +
      'another server has taken the source over'
    )
  }
}

/** The shard is in another epoch than the appender names. It took none of the append's items. */
export class StaleEpoch extends Error {
  override readonly name = 'StaleEpoch'

  constructor (readonly shard: number) {
    super(`shard ${shard} has begun a new epoch: read its head, then append again`)
  }
}

export interface TopicPosition {
  readonly sequence: number
  readonly offset: number
}

export interface Page {
  /** The shard's epoch when the page was read. */
  readonly epoch: number
  /** Oldest first. */
  readonly entries: readonly Entry[]
  /**
   * The topic's last message, even if it is not retained any more; undefined for a topic that never had one.
   */
  readonly last: TopicPosition | undefined
  /** The sequence of the oldest retained message; undefined if none is retained. */
  readonly first: number | undefined
}

/** Whether the topic lost nothing after `after`, the offset from which the page was read. */
export function followsOn ({ entries: [first], last }: Page, after: number): boolean {
  return first === undefined ? (last?.offset ?? 0) <= after : first.previous <= after
}

/** A topic's state. */
export interface Snapshot {
  readonly topic: string
  readonly epoch: number
  /** Sequence of the last message that was folded in. */
  readonly sequence: number
  /** When the log accepted that message, in milliseconds since 1970. */
  readonly timestamp: number
  /** The state as JSON text. */
  readonly payload: string
  /**
   * The shard's offset when the state was read: it holds the topic's messages up to here, and none after it.
   */
  readonly asOf: number
}

/**
 * An epoch and the offset of its first message. A position of the epoch before is good if its offset is
 * less than `start`.
 */
export interface EpochStart {
  readonly epoch: number
  readonly start: number
}

export interface ShardHead {
  readonly epoch: number
  /** Offset of the shard's last message, 0 if it has none. */
  readonly offset: number
  /** The epochs that the log remembers, oldest first; the last is the current one. */
  readonly epochs: readonly EpochStart[]
}

/** Whether a position lies in the log's past, so that nothing up to it was lost (PROTOCOL.md, Epochs). */
export function isGood (position: ShardPosition, head: ShardHead): boolean {
  const start = firstLost(position.epoch, head)
  return start === undefined ? position.offset <= head.offset : position.offset < start
}

/**
 * The offset from which an epoch's messages are lost: undefined for the current epoch, 0 for an unknown one.
 */
function firstLost (epoch: number, { epochs }: ShardHead): number | undefined {
  const known = epochs.findLastIndex(other => other.epoch === epoch)
  if (known < 0) return 0
  const later = epochs.slice(known + 1)
  return later.length === 0 ? undefined : Math.min(...later.map(({ start }) => start))
}

/**
 * Returns the offset up to which nothing of a position was lost. If the log does not know the position's
 * epoch, it may have lost anything before its current epoch, so the answer is the offset before that epoch's
 * start.
 */
export function lastKept (position: ShardPosition, head: ShardHead): number {
  if (isGood(position, head)) return position.offset
  return (firstLost(position.epoch, head) || head.epochs.at(-1)!.start) - 1
}

/** Returns the epoch in which the log gave out an offset. */
export function epochAt (offset: number, { epochs }: ShardHead): number {
  return (epochs.findLast(({ start }) => start <= offset) ?? epochs[0]!).epoch
}

export interface TailBatch {
  readonly shard: number
  readonly epoch: EpochStart
  /**
   * In order of offset, and without a gap after the batch before, unless `hole` is set. Empty if the batch
   * only announces an epoch.
   */
  readonly entries: readonly Entry[]
  /**
   * Set if the log has dropped messages that came after the batch before; `entries` has those that are
   * retained.
   */
  readonly hole?: {
    /** The last offset of the hole; no entry of the batch is beyond it. */
    readonly upTo: number
    /** The topics that lost messages. */
    readonly lost: ReadonlySet<string>
  }
}

/** A shard that somebody follows. */
export interface Tailing {
  /** Where the log stood when following began; batches continue from here. */
  readonly head: ShardHead
  end (): void
}

/** A message that was appended with an idempotency key. */
export interface KeyedMessage extends TopicPosition {
  /** Undefined if it is not retained any more. */
  readonly entry: Entry | undefined
}

/** Reads what comes after an offset of the topic's shard, or after a sequence of the topic. */
export type ReadFrom = { readonly offset: number } | { readonly sequence: number }

export interface Log {
  /** 1 to 32, fixed for the life of the log. */
  readonly shards: number
  shardOf (topic: string): number

  /**
   * Appends in order and answers each item at its index. If one shard refuses its items, each of them gets an
   * error, and the items of other shards stay appended.
   * @throws ProtocolError `log_unavailable` or `overloaded`, if no shard took anything; StaleFence, if a
   * shard has a newer fence of the source; StaleEpoch, if a shard is in another epoch than `options.epochs`
   * says
   */
  append (items: readonly AppendItem[], options?: AppendOptions): Promise<readonly AppendResult[]>

  /**
   * Returns a processor's newest origin by output topic, for one shard of outputs or for all.
   * @throws ProtocolError `log_unavailable`
   */
  origins (processor: string, shard?: number): Promise<ReadonlyMap<string, KeptOrigin>>

  /**
   * Raises a source's fence in every shard. From then on every shard refuses appends with an earlier fence of
   * the source.
   * @throws ProtocolError `log_unavailable`
   */
  raise (source: string): Promise<Fence>

  /** Reads at most `limit` retained messages of a topic. To detect a loss, compare `previous` and `last`. */
  read (topic: string, from: ReadFrom, limit: number): Promise<Page>

  /**
   * Finds the message that a topic has under an idempotency key; undefined if it has none, or if the log has
   * forgotten the key.
   * @throws ProtocolError `log_unavailable`
   */
  find (topic: string, idempotencyKey: string): Promise<KeyedMessage | undefined>

  /**
   * Follows a shard: calls `onBatch`, in order, for everything that is appended after the head that it
   * answers with. The first calls may come before the answer.
   * @throws ProtocolError `log_unavailable`
   */
  tail (shard: number, onBatch: (batch: TailBatch) => void): Promise<Tailing>

  /**
   * Calls `onChange` when the log becomes unreachable, and when it can be reached again. Returns a function
   * that ends this.
   */
  watch (onChange: (available: boolean) => void): () => void

  /**
   * Reads the newest messages of a shard, about `maxBytes` of them, oldest first and without a gap up to the
   * shard's end; returns none if they are not at hand. A node reads them when it begins to follow the shard,
   * so that it need not serve the clients of another node from their topics one by one.
   */
  recent (shard: number, maxBytes: number): Promise<readonly Entry[]>

  /** Reads heads from the log itself: of the given shards in their order, or of all. */
  head (shards?: readonly number[]): Promise<readonly ShardHead[]>

  /**
   * Returns the last position of every topic that ever had a message, of one shard or of all. A node reads it
   * when it begins to follow a shard, and after a new epoch.
   */
  topics (shard?: number): Promise<ReadonlyMap<string, TopicPosition>>

  /**
   * Returns a topic's state; undefined if the channel has no state, or if the log knows none of the topic.
   * The log appends a message even if the channel fails to fold it; the state is then unknown until a message
   * replaces it.
   * @throws while the state is unknown for that reason, what the channel threw
   */
  snapshot (topic: string): Promise<Snapshot | undefined>

  close (): Promise<void>
}

/** Bounds of what a log retains. It drops the oldest first. */
export interface Retention {
  /** Messages of a topic. */
  readonly messages: number
  /** Age of a topic's messages. */
  readonly seconds: number
  /** Bytes of all messages (in memory), or of each shard (on Redis). */
  readonly bytes: number
}

/** Time and randomness, injected so that tests are exact. */
export interface LogClock {
  /** Milliseconds since 1970. */
  now (): number
  /** 32 random bits. */
  randomEpoch (): number
}
