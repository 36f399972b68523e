import {
  acknowledgementTopic, type Channels, parseTopicKey, topicKey
} from '@tickwire/protocol'
import { acknowledgedUpTo } from '../acknowledged.js'
import {
  type Entry, NAMES_PER_TOPIC, PINNED_SHARE, type Retention, type ShardHead, type TopicPosition
} from '../log.js'
import { DropOrder, ENTRY_OVERHEAD_BYTES } from './drop-order.js'
import { TopicHistory } from './topic-history.js'

export interface RetainedTopicsOptions {
  readonly channels: Channels
  readonly retention: Retention
  readonly maxTopics: number
  readonly maxTopicNames?: number | undefined
  shardOf (topic: string): number
  headOf (shard: number): ShardHead
}

/** The topics of a log in memory: what is retained of them, and what retention drops. */
export class RetainedTopics {
  readonly histories = new Map<string, TopicHistory>()
  /** Topics that have nothing left but their last position. */
  readonly dormant = new Map<string, TopicPosition>()
  /** By shard, the highest offset that retention has dropped. */
  readonly dropped: number[]
  /** Number of topics that have messages. */
  private retained = 0
  private retainedBytes = 0
  private readonly dropOrder: DropOrder

  constructor (shards: number, private readonly options: RetainedTopicsOptions) {
    this.dropped = Array.from({ length: shards }, () => 0)
    this.dropOrder = new DropOrder({
      maxPinnedBytes: options.retention.bytes * PINNED_SHARE,
      isOpen: topic => this.isOpen(topic)
    })
  }

  /** What all messages count, in bytes. */
  get bytes (): number {
    return this.retainedBytes
  }

  last (topic: string): TopicPosition | undefined {
    return this.histories.get(topic)?.last ?? this.dormant.get(topic)
  }

  /**
   * Returns the history that a topic's next message goes to; undefined if one more topic would be too many.
   */
  historyFor (topic: string, now: () => number): TopicHistory | undefined {
    const known = this.histories.get(topic)
    if (known !== undefined && known.size > 0) return known
    // Expired messages make room.
    if (this.retained >= this.options.maxTopics) this.expire(now())
    if (this.retained >= this.options.maxTopics) return undefined
    const begun = this.histories.get(topic)
    if (begun !== undefined) return begun
    // The log never forgets a last sequence, so it bounds their number.
    const { maxTopics, maxTopicNames = NAMES_PER_TOPIC * maxTopics } = this.options
    const isFull = !this.dormant.has(topic) && this.histories.size + this.dormant.size >= maxTopicNames
    return isFull ? undefined : this.begin(topic)
  }

  /**
   * Begins the history of a topic that has none: a new topic, or one whose messages were all dropped.
   */
  begin (topic: string): TopicHistory {
    const channel = this.options.channels.get(parseTopicKey(topic).channel)
    const { messages, seconds } = { ...this.options.retention, ...channel?.retention }
    const shard = this.options.shardOf(topic)
    const history = new TopicHistory(topic, shard, channel ?? {}, messages, seconds * 1000)
    const last = this.dormant.get(topic)
    if (last !== undefined) history.continueFrom(last)
    this.dormant.delete(topic)
    this.histories.set(topic, history)
    return history
  }

  /** Adds the newest message of a topic. */
  push (history: TopicHistory, entry: Entry): void {
    if (history.size === 0) this.retained++
    this.added(history, history.push(entry))
  }

  /** Counts the newest message of a topic, which is in its history already, and lets it drop the oldest. */
  noteRestored (history: TopicHistory, bytes: number): void {
    if (history.size === 1) this.retained++
    this.added(history, bytes)
  }

  private added (history: TopicHistory, bytes: number): void {
    this.count(history, bytes + ENTRY_OVERHEAD_BYTES)
    this.dropOrder.add(history)
    if (history.size > history.maxMessages) this.dropOldest(history)
  }

  /** Lets retention drop what a topic's messages say is acknowledged. @param topic of an acknowledgement */
  release (topic: string): void {
    const { symbol: channel, user } = parseTopicKey(topic)
    const history = this.histories.get(topicKey({ channel: channel!, user }))
    if (history !== undefined) this.dropOrder.release(history)
  }

  /** Drops messages that are too old, then the oldest of all while there are too many bytes. */
  expire (now: number): void {
    let topic
    while ((topic = this.dropOrder.expired(now)) !== undefined) this.dropOldest(topic)
    while (this.retainedBytes > this.options.retention.bytes) {
      const oldest = this.dropOrder.oldest()
      if (oldest === undefined) return
      this.dropOldest(oldest)
    }
  }

  /** Forgets the messages of a topic, without folding them: its state must be given anew. */
  forget (history: TopicHistory): void {
    const { size } = history
    if (size === 0) return
    this.count(history, -(history.forget() + size * ENTRY_OVERHEAD_BYTES))
    this.retained--
  }

  /** Forgets all messages after an offset of each shard, where they are retained. */
  loseBeyond (offsets: readonly number[]): void {
    // The log gives offsets out again: the oldest message of a topic may then be older than its heap entry
    // says.
    this.dropOrder.clear()
    for (const [topic, history] of this.histories) {
      for (const bytes of history.loseBeyond(offsets[history.shard]!)) {
        this.retainedBytes -= bytes + ENTRY_OVERHEAD_BYTES
      }
      if (history.lastSequence === 0) this.histories.delete(topic)
    }
    this.retained = [...this.histories.values()].filter(({ size }) => size > 0).length
    for (const history of this.histories.values()) if (history.size > 0) this.dropOrder.add(history)
  }

  /** Finds the order anew in which messages are dropped, where acknowledgements came in another order. */
  reorder (): void {
    this.dropOrder.clear()
    for (const history of this.histories.values()) if (history.size > 0) this.dropOrder.add(history)
  }

  /** Makes a topic dormant if nothing but its last position is left of it. */
  settle (history: TopicHistory): void {
    if (!history.isEmpty) return
    this.histories.delete(history.topic)
    this.dormant.set(history.topic, history.last)
  }

  /** Whether a topic's oldest message, of which there must be one, waits for its acknowledgement. */
  private isOpen ({ topic, channel, oldestOffset, shard }: TopicHistory): boolean {
    if (channel.acknowledged !== true) return false
    const kept = this.histories.get(acknowledgementTopic(topic))?.state()
    return oldestOffset > acknowledgedUpTo(kept?.payload, this.options.headOf(shard))
  }

  /** Counts the bytes of a message that was added; less than 0 for one that was dropped. */
  private count (history: TopicHistory, bytes: number): void {
    this.retainedBytes += bytes
    this.dropOrder.note(history, bytes)
  }

  private dropOldest (history: TopicHistory): void {
    const { shard, oldestOffset } = history
    this.dropped[shard] = Math.max(this.dropped[shard]!, oldestOffset)
    this.count(history, -(history.shift() + ENTRY_OVERHEAD_BYTES))
    if (history.size > 0) return
    this.retained--
    this.settle(history)
  }
}
