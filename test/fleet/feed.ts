import { setTimeout as delay } from 'node:timers/promises'
import { publishTo } from './publish.js'

/** Between two batches. */
const STEP_MS = 20
const RETRY_MS = 50
const BATCH = 200
/** If no node has taken a batch after this time, the feed fails. */
const GIVE_UP_MS = 60_000

export interface NumberedFeedOptions {
  readonly origins: readonly string[]
  readonly token: string
  readonly topics: readonly string[]
  /** What a message of a topic says: the first is number 1. */
  dataOf (topic: string, number: number): object
}

/**
 * Publishes numbered messages at a steady rate, over all topics in turn, each to whichever node takes it:
 * again with the same key until one does, so that each is in the log once.
 */
export class NumberedFeed {
  /** By topic, how many messages are in the log. */
  readonly published: Map<string, number>
  /** Requests that a node did not take. */
  readonly refused = { unreachable: 0, goingAway: 0, otherwise: [] as string[] }
  private turn = 0
  private over = false
  private running: Promise<void> = Promise.resolve()

  constructor (private readonly options: NumberedFeedOptions) {
    this.published = new Map(options.topics.map(topic => [topic, 0]))
  }

  get total (): number {
    return [...this.published.values()].reduce((sum, count) => sum + count, 0)
  }

  /** @param rate messages a second */
  start (rate: number): void {
    this.over = false
    this.running = this.run(rate)
    // stop() throws the error. Without this line, Node would end the process for an unhandled rejection.
    this.running.catch(() => {})
  }

  async stop (): Promise<void> {
    this.over = true
    await this.running
  }

  /** Publishes so many messages at once. */
  async burst (count: number): Promise<void> {
    for (let left = count; left > 0; left -= BATCH) await this.publish(Math.min(left, BATCH))
  }

  private async run (rate: number): Promise<void> {
    const began = Date.now()
    for (let sent = 0; !this.over; await delay(STEP_MS)) {
      const due = Math.floor((Date.now() - began) / 1000 * rate) - sent
      sent += due
      // After a pause, the feed sends at most one second's worth of what it missed, so that it makes no
      // burst.
      if (due > 0) await this.publish(Math.min(due, rate))
    }
  }

  private async publish (count: number): Promise<void> {
    const { topics, origins } = this.options
    const items = Array.from({ length: count }, () => this.next(topics[this.turn++ % topics.length]!))
    const deadline = Date.now() + GIVE_UP_MS
    const origin = (attempt: number): string => origins[(this.turn + attempt) % origins.length]!
    for (let attempt = 0; !await this.attempt(origin(attempt), items); attempt++) {
      if (Date.now() > deadline) throw new Error(`nobody took ${count} messages in ${GIVE_UP_MS} ms`)
      // The next node may take it at once; it waits where none did.
      if (attempt % origins.length === origins.length - 1) await delay(RETRY_MS)
    }
  }

  private next (topic: string): object {
    const number = this.published.get(topic)! + 1
    this.published.set(topic, number)
    const [channel, symbol] = topic.split(':')
    const data = this.options.dataOf(topic, number)
    return { channel, ...symbol === undefined ? {} : { symbol }, data, idempotency_key: `${topic} ${number}` }
  }

  /** @returns whether all of it was taken */
  private async attempt (origin: string, items: readonly object[]): Promise<boolean> {
    const answer = await publishTo(origin, this.options.token, items).catch(() => undefined)
    if (answer === undefined) {
      this.refused.unreachable++
      return false
    }
    const { status, code, accepted, rejected } = answer
    if (status === 200) {
      if (accepted === items.length) return true
      throw new Error(`a message was rejected: ${JSON.stringify(rejected?.[0])}`)
    }
    if (code === 'going_away') this.refused.goingAway++
    else this.refused.otherwise.push(`${status} ${code}`)
    return false
  }
}
