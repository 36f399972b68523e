import { isOlder, OldestFirst, type TopicAge } from './oldest-first.js'
import type { TopicHistory } from './topic-history.js'

/**
 * What an entry costs beside its payload. Measured: 79 to 95 bytes if topics have a thousand entries, 170 if
 * they have sixty.
 */
export const ENTRY_OVERHEAD_BYTES = 110

export interface DropOrderOptions {
  /** The most bytes of messages that the log keeps only because their user has not acknowledged them. */
  readonly maxPinnedBytes: number
  /** Whether a topic's oldest message, of which there must be one, waits for its acknowledgement. */
  isOpen (topic: TopicHistory): boolean
}

/**
 * The order in which a log drops the oldest messages of its topics. A topic is pinned while its oldest
 * message is open (PROTOCOL.md, Acknowledged channels). Acknowledgements cover the oldest messages, so all of
 * its messages are open. No age drops them, and bytes do only while pinned topics have too many. A topic is
 * found to be pinned when its oldest message would be dropped, and stays so until an acknowledgement.
 */
export class DropOrder {
  /** By the age at which their messages expire, in milliseconds: all topics but those that are pinned. */
  private readonly ages = new Map<number, OldestFirst>()
  private readonly pinned = new OldestFirst()
  private pinnedBytes = 0

  constructor (private readonly options: DropOrderOptions) {}

  /** Adds a topic that has messages, if it is not there yet. */
  add (topic: TopicHistory): void {
    this.agesOf(topic).add(topic)
  }

  /** Notes that a topic's messages have grown by as many bytes, or shrunk. */
  note (topic: TopicHistory, bytes: number): void {
    if (!topic.isPinned) return
    this.pinnedBytes += bytes
    if (topic.size === 0) this.unpin(topic)
  }

  /** Notes that a topic's messages were acknowledged. */
  release (topic: TopicHistory): void {
    if (!topic.isPinned || this.options.isOpen(topic)) return
    this.unpin(topic)
    this.add(topic)
  }

  clear (): void {
    for (const ages of this.ages.values()) ages.clear()
    for (let age = this.pinned.first; age !== undefined; age = this.pinned.first) this.unpin(age.topic)
  }

  /** Returns a topic whose oldest message is too old. */
  expired (now: number): TopicHistory | undefined {
    for (const [maxAgeMs, ages] of this.ages) {
      const first = this.firstOf(ages, now - maxAgeMs)
      if (first !== undefined) return first.topic
    }
    return undefined
  }

  /** Returns the topic with the oldest message that bytes may drop. */
  oldest (): TopicHistory | undefined {
    let oldest: TopicAge | undefined
    for (const ages of this.ages.values()) oldest = olderOf(oldest, this.firstOf(ages, Infinity))
    // Only now the log has found all pinned topics that are older than that.
    if (this.pinnedBytes > this.options.maxPinnedBytes) oldest = olderOf(oldest, this.pinned.first)
    return oldest?.topic
  }

  /** Returns the first topic that is not pinned, if its oldest message is from `until` or before. */
  private firstOf (ages: OldestFirst, until: number): TopicAge | undefined {
    for (;;) {
      const { first } = ages
      if (first === undefined || first.timestamp > until) return undefined
      if (!this.options.isOpen(first.topic)) return first
      this.pin(first.topic)
    }
  }

  private pin (topic: TopicHistory): void {
    this.agesOf(topic).remove(topic)
    topic.isPinned = true
    this.pinnedBytes += bytesOf(topic)
    this.pinned.add(topic)
  }

  private unpin (topic: TopicHistory): void {
    this.pinned.remove(topic)
    topic.isPinned = false
    this.pinnedBytes -= bytesOf(topic)
  }

  private agesOf ({ maxAgeMs }: TopicHistory): OldestFirst {
    let ages = this.ages.get(maxAgeMs)
    if (ages === undefined) this.ages.set(maxAgeMs, ages = new OldestFirst())
    return ages
  }
}

function olderOf (one: TopicAge | undefined, other: TopicAge | undefined): TopicAge | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return isOlder(other, one) ? other : one
}

/** Returns what a topic's messages count. */
function bytesOf ({ payloadBytes, size }: TopicHistory): number {
  return payloadBytes + size * ENTRY_OVERHEAD_BYTES
}
