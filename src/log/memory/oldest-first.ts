import type { Entry } from '../log.js'
import type { TopicHistory } from './topic-history.js'

/**
 * The order of messages. It has numbers alone, because a heap entry must not keep a dropped message alive.
 */
type Age = Pick<Entry, 'timestamp' | 'offset' | 'shard'>

/**
 * Whether a message came before another. Within a millisecond the offset decides; between shards any order
 * will do.
 */
export function isOlder (a: Age, b: Age): boolean {
  if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp
  return a.offset === b.offset ? a.shard < b.shard : a.offset < b.offset
}

/** An entry of the heap. */
export interface TopicAge {
  /**
   * Of the topic's oldest message when the heap last looked; if the topic was trimmed since, its oldest is
   * younger.
   */
  timestamp: number
  offset: number
  readonly shard: number
  readonly topic: TopicHistory
}

/**
 * Topics by the age of their oldest message, in a binary heap: dropping the oldest costs the logarithm of the
 * number of topics, and nothing scans them all. Each topic with messages has one entry, which is corrected
 * when it comes up.
 */
export class OldestFirst {
  private readonly heap: TopicAge[] = []

  /** Adds a topic that has messages. A topic that was emptied may still have its entry from before. */
  add (topic: TopicHistory): void {
    if (topic.heapIndex >= 0) return
    const { oldestTimestamp: timestamp, oldestOffset: offset, shard } = topic
    topic.heapIndex = this.heap.push({ timestamp, offset, shard, topic }) - 1
    this.rise(topic.heapIndex)
  }

  /** The topic with the oldest message. */
  get first (): TopicAge | undefined {
    for (;;) {
      const age = this.heap[0]
      if (age === undefined) return undefined
      const { topic } = age
      if (topic.size === 0) this.remove(topic)
      else if (topic.oldestOffset !== age.offset || topic.oldestTimestamp !== age.timestamp) {
        age.timestamp = topic.oldestTimestamp
        age.offset = topic.oldestOffset
        this.sink(0)
      } else return age
    }
  }

  clear (): void {
    for (const { topic } of this.heap) topic.heapIndex = -1
    this.heap.length = 0
  }

  /** Takes out a topic, which must be in this heap: it waits until it is added again. */
  remove (topic: TopicHistory): void {
    const index = topic.heapIndex
    topic.heapIndex = -1
    const last = this.heap.pop()!
    if (last.topic === topic) return
    this.heap[index] = last
    last.topic.heapIndex = index
    this.rise(index)
    this.sink(last.topic.heapIndex)
  }

  private rise (index: number): void {
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (!isOlder(this.heap[index]!, this.heap[parent]!)) return
      this.swap(index, parent)
      index = parent
    }
  }

  private sink (index: number): void {
    for (;;) {
      let smallest = index
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < this.heap.length && isOlder(this.heap[child]!, this.heap[smallest]!)) smallest = child
      }
      if (smallest === index) return
      this.swap(index, smallest)
      index = smallest
    }
  }

  private swap (a: number, b: number): void {
    const age = this.heap[a]!
    this.heap[a] = this.heap[b]!
    this.heap[b] = age
    this.heap[a].topic.heapIndex = a
    age.topic.heapIndex = b
  }
}
