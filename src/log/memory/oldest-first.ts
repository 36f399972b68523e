import type { TopicHistory } from './topic-history.js'

interface Place {
  /** Of the oldest message when it was looked at last; a topic that was trimmed since has a later one. */
  timestamp: number
  readonly topic: TopicHistory
}

/**
 * Topics by the age of their oldest message (a binary heap), so that dropping the oldest costs the logarithm of
 * the topics and nothing is scanned. Each topic that holds messages has one place; it is corrected when it comes up.
 */
export class OldestFirst {
  private readonly heap: Place[] = []

  /** Takes in a topic that has just got its first message. */
  add (topic: TopicHistory): void {
    this.heap.push({ timestamp: topic.oldest!.timestamp, topic })
    this.rise(this.heap.length - 1)
  }

  /** The topic with the oldest message. */
  get first (): TopicHistory | undefined {
    for (;;) {
      const place = this.heap[0]
      if (place === undefined) return undefined
      const { oldest } = place.topic
      if (oldest === undefined) this.removeFirst()
      else if (oldest.timestamp !== place.timestamp) {
        place.timestamp = oldest.timestamp
        this.sink(0)
      } else return place.topic
    }
  }

  clear (): void {
    this.heap.length = 0
  }

  private removeFirst (): void {
    const last = this.heap.pop()!
    if (this.heap.length === 0) return
    this.heap[0] = last
    this.sink(0)
  }

  private rise (index: number): void {
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (this.heap[parent]!.timestamp <= this.heap[index]!.timestamp) return
      this.swap(index, parent)
      index = parent
    }
  }

  private sink (index: number): void {
    for (;;) {
      let smallest = index
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < this.heap.length && this.heap[child]!.timestamp < this.heap[smallest]!.timestamp) smallest = child
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
