/** The topic of a message, as it is written: `quotes:AAPL`, `news`. */
export const topicOf = ({ channel, symbol }) => symbol === undefined ? channel : `${channel}:${symbol}`

/**
 * The client's rule (PROTOCOL.md): what a client holds of each topic, and what a message means by that. (This page
 * never unsubscribes; `unsubscribed` would forget the topics of its selectors as a reset does.)
 */
export class Rule {
  /** By topic: the first and last sequence accepted since the last reset, and how many were. */
  topics = new Map()
  duplicates = 0
  gaps = 0
  resets = 0

  /** @returns {'accepted' | 'duplicate' | 'forgotten' | 'control'} */
  take (message) {
    if (message.type === 'reset') {
      this.resets++
      this.topics.delete(topicOf(message))
      return 'forgotten'
    }
    const { sequence } = message
    if (sequence === undefined) return 'control'
    const topic = topicOf(message)
    const held = this.topics.get(topic)
    if (held === undefined) {
      this.topics.set(topic, { first: sequence, last: sequence, count: 1 })
      return 'accepted'
    }
    if (message.snapshot ? sequence < held.last : sequence <= held.last) {
      this.duplicates++
      return 'duplicate'
    }
    if (!message.snapshot && (message.prev ?? sequence - 1) > held.last) this.gaps++
    // A snapshot of what is held already replaces the state, but is no further message.
    if (sequence > held.last) held.count++
    held.last = sequence
    return 'accepted'
  }

  /** Nothing is held any more: the next connection does not go on from a cursor. */
  forget () {
    this.topics.clear()
  }
}
