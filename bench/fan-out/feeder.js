import { topicName } from './rows.js'

/**
 * What each server in this bench publishes, and when: in batches of a window, at equal distances. The same code feeds all servers
 * of Node; writer.c does the same.
 */

/** @typedef {{ symbol: string, price: string, size: string, timestamp: string }} Trade */

/** The topic of the n-th message; writer.c has the same. @param {number} n */
function mix (n) {
  let hash = Math.imul(n ^ (n >>> 16), 0x45d9f3b)
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * How many messages each topic has after so many in all.
 * @param {number} topics
 * @param {number} published
 * @returns {number[]}
 */
export function publishedOf (topics, published) {
  const counts = new Array(topics).fill(0)
  for (let n = 0; n < published; n++) counts[mix(n) % topics]++
  return counts
}

/** CLOCK_MONOTONIC in microseconds, which the load generator reads too, as the size of a trade: it begins with no 0. */
const timeAsSize = () => `1${(process.hrtime.bigint() / 1000n).toString().padStart(15, '0')}`

/** How late a batch may be published; writer.c has the same. */
const MOST_LATE_MS = 50

export class Feeder {
  published = 0
  #rate = 0
  #owed = 0
  #due = 0
  #topics
  #windowMs
  #mostLateMs
  #publish
  /** @type {NodeJS.Timeout | undefined} */
  #timer

  /**
   * @param {number} topics
   * @param {number} windowMs
   * @param {(batch: readonly Trade[]) => unknown} publish
   * @param {number} [mostLateMs] how late a batch may be; what is later is left out
   */
  constructor (topics, windowMs, publish, mostLateMs = MOST_LATE_MS) {
    this.#topics = Array.from({ length: topics }, (_, number) => topicName(number))
    this.#windowMs = windowMs
    this.#mostLateMs = mostLateMs
    this.#publish = publish
  }

  /** Messages a second from now on. @param {number} rate */
  setRate (rate) {
    this.#rate = rate
    clearTimeout(this.#timer)
    if (rate === 0) return
    this.#due = performance.now()
    this.#turn()
  }

  #turn () {
    const batch = this.#batch()
    if (batch.length > 0) this.#publish(batch)
    this.#due += this.#windowMs
    const now = performance.now()
    // Each batch of a late feeder has a turn of its own: joined they would be cheaper. What is too late is left out.
    if (now > this.#due + this.#mostLateMs) this.#due = now
    this.#timer = setTimeout(() => { this.#turn() }, Math.max(0, this.#due - now))
  }

  #batch () {
    this.#owed += this.#rate * this.#windowMs / 1000
    const length = Math.floor(this.#owed)
    this.#owed -= length
    const [timestamp, size] = [new Date().toISOString(), timeAsSize()]
    return Array.from({ length }, () => this.#trade(timestamp, size))
  }

  /** @param {string} timestamp @param {string} size @returns {Trade} */
  #trade (timestamp, size) {
    const n = this.published++
    const symbol = this.#topics[mix(n) % this.#topics.length]
    return { symbol, price: `185.${String(n % 100).padStart(2, '0')}`, size, timestamp }
  }
}
