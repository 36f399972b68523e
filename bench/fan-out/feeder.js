import { topicName } from './rows.js'

/**
 * What each server of this bench publishes, and when: a batch for each window, at equal distances. All
 * servers on Node use this code; writer.c does the same.
 */

/** @typedef {{ symbol: string, price: string, size: string, timestamp: string }} Trade */

/**
 * Returns a number that picks the topic of the n-th message; writer.c has the same function.
 * @param {number} n
 */
function mix (n) {
  let hash = Math.imul(n ^ (n >>> 16), 0x45d9f3b)
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * Returns how many messages each topic has once so many are published in all.
 * @param {number} topics
 * @param {number} published
 * @returns {number[]}
 */
export function publishedOf (topics, published) {
  const counts = new Array(topics).fill(0)
  for (let n = 0; n < published; n++) counts[mix(n) % topics]++
  return counts
}

/**
 * Returns CLOCK_MONOTONIC in microseconds, which the load generator reads too, as the size of a trade. The 1
 * in front keeps it from beginning with 0.
 */
const timeAsSize = () => `1${(process.hrtime.bigint() / 1000n).toString().padStart(15, '0')}`

/** How late a batch may be published; writer.c has the same bound. */
const MOST_LATE_MS = 50

export class Feeder {
  published = 0
  #rate = 0
  /** The part of a message that is due and not published yet. */
  #remainder = 0
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
   * @param {number} [mostLateMs] how late a batch may be; a later one is left out
   */
  constructor (topics, windowMs, publish, mostLateMs = MOST_LATE_MS) {
    this.#topics = Array.from({ length: topics }, (_, number) => topicName(number))
    this.#windowMs = windowMs
    this.#mostLateMs = mostLateMs
    this.#publish = publish
  }

  /** Publishes so many messages a second from now on. @param {number} rate */
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
    // Each batch of a late feeder has its own turn: joined batches would be cheaper. Batches that are too
    // late are left out.
    if (now > this.#due + this.#mostLateMs) this.#due = now
    this.#timer = setTimeout(() => { this.#turn() }, Math.max(0, this.#due - now))
  }

  #batch () {
    this.#remainder += this.#rate * this.#windowMs / 1000
    const length = Math.floor(this.#remainder)
    this.#remainder -= length
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
