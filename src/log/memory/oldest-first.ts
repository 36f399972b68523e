import type { Entry } from '../log.js'
import type { TopicHistory } from './topic-history.js'

/** What messages are ordered by. Numbers alone, because a place must not keep a dropped message alive. */
type Age = Pick<Entry, 'timestamp' | 'offset' | 'shard'>

/** Whether a message came before another: within a millisecond the offset decides; between shards any order will do. */
export function isOlder (a: Age, b: Age): boolean {
  if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp
  return a.offset === b.offset ? a.shard < b.shard : a.offset < b.offset
}

export interface TopicAge {
  /** Of the oldest message when it was looked at last; a topic that was trimmed since has a later one. */
  timestamp: number
  offset: number
  readonly shard: number
  readonly topic: TopicHistory
}

/**
 * Topics by the age of their oldest message (a binary heap), so that dropping the oldest costs the logarithm of
 * the topics and nothing is scanned. Each topic that holds messages has one place; it is corrected when it comes up.
 */
export class OldestFirst {
  private readonly heap: TopicAge[] = []

  /** Takes in a topic that holds messages. One that was emptied may still have its place from before. */
  add (topic: TopicHistory): void {
    if (topic.placed) return
    topic.placed = true
    const { oldestTimestamp: timestamp, oldestOffset: offset, shard } = topic
    this.heap.push({ timestamp, offset, shard, topic })
    this.rise(this.heap.length - 1)
  }

  /** Where the oldest message is. */
  get first (): TopicAge | undefined {
    for (;;) {
      const place = this.heap[0]
      if (place === undefined) return undefined
      const { topic } = place
      if (topic.size === 0) this.removeFirst()
      else if (topic.oldestOffset !== place.offset || topic.oldestTimestamp !== place.timestamp) {
        place.timestamp = topic.oldestTimestamp
        place.offset = topic.oldestOffset
        this.sink(0)
      } else return place
    }
  }

  clear (): void {
    for (const { topic } of this.heap) topic.placed = false
    this.heap.length = 0
  }

  private removeFirst (): void {
    this.heap[0]!.topic.placed = false
    const last = this.heap.pop()!
    if (this.heap.length === 0) return
    this.heap[0] = last
    this.sink(0)
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
    const place = this.heap[a]!
    this.heap[a] = this.heap[b]!
    this.heap[b] = place
  }
}
