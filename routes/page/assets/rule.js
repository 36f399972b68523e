/** Returns the topic of a message, as it is written: `quotes:AAPL`, `news`. */
export const topicOf = ({ channel, symbol }) => symbol === undefined ? channel : `${channel}:${symbol}`

/**
 * The client's rule (PROTOCOL.md): what a client has of each topic, and what it does with a message. (This
 * page never unsubscribes; `unsubscribed` would forget the topics of its selectors as a reset does.)
 */
export class Rule {
  /**
   * By topic: the first and last accepted sequence since the last reset, and the number of accepted messages.
   */
  topics = new Map()
  /**
   * By topic, the last sequence when the kept cursor came; and the last one on this connection since. 0 after
   * a reset.
   */
  #atCursor = new Map()
  #here = new Map()
  #epoch = undefined
  duplicates = 0
  gaps = 0
  resets = 0

  /** @returns {'accepted' | 'duplicate' | 'forgotten' | 'control'} */
  take (message) {
    if (message.type === 'subscribed' || message.type === 'epoch') this.#enter(message.epoch)
    if (message.type === 'reset') {
      this.resets++
      this.#here.set(topicOf(message), 0)
      this.topics.delete(topicOf(message))
      return 'forgotten'
    }
    const { sequence } = message
    if (sequence === undefined || message.type === 'acknowledged') return 'control'
    const topic = topicOf(message)
    const held = this.topics.get(topic)
    this.#here.set(topic, sequence)
    if (held === undefined) {
      this.topics.set(topic, { first: sequence, last: sequence, count: 1 })
      return 'accepted'
    }
    if (message.snapshot ? sequence < held.last : sequence <= held.last) {
      this.duplicates++
      return 'duplicate'
    }
    if (!message.snapshot && (message.prev ?? sequence - 1) > held.last) this.gaps++
    // A snapshot of the known sequence replaces the state, but is no further message.
    if (sequence > held.last) held.count++
    held.last = sequence
    return 'accepted'
  }

  /** Notes that a connection begins at the kept cursor. */
  connected () {
    this.#here.clear()
  }

  /** Notes that a cursor came, and is kept. */
  cursor () {
    for (const [topic, sequence] of this.#here) this.#atCursor.set(topic, sequence)
    this.#here.clear()
  }

  /**
   * Enters another epoch: what an earlier connection sent after the cursor may be lost, and its sequences
   * given out again.
   */
  #enter (epoch) {
    const before = this.#epoch
    this.#epoch = epoch
    if (before === undefined || before === epoch) return
    for (const [topic, held] of this.topics) {
      const sure = this.#here.get(topic) ?? this.#atCursor.get(topic) ?? 0
      if (sure === 0) this.topics.delete(topic)
      else if (sure < held.last) held.last = sure
    }
  }

  /** Forgets all topics: the next connection does not go on from a cursor. */
  forget () {
    this.topics.clear()
  }
}
