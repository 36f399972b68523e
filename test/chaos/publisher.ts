import { setTimeout as delay } from 'node:timers/promises'
import { PATIENT_MS, publishTo, runToken } from '../fleet/publish.js'
import type { Choices } from '../helpers/random.js'
import { channelOf, dataOf, symbolOf, topics } from './topics.js'
import type { Truth } from './truth.js'

const STEP_MS = 25
const RETRY_MS = 50
const BATCH = 100
/** One message of a book in so many is a snapshot. */
const SNAPSHOT_EVERY = 40

interface Item {
  readonly topic: string
  readonly data: object
  /** Whether it is published as a snapshot. */
  readonly replaces: boolean
  readonly key: string
}

/**
 * Publishes numbered messages, past the proxy, and notes what the server acknowledged. It is paused while the
 * server is restarted, so that it knows of each message whether the log took it.
 */
export class Publisher {
  private readonly token = runToken({ sub: 'publisher', publish: ['*'] })
  private number = 0
  private isRunning = false
  private running: Promise<void> = Promise.resolve()

  /** @param rate messages a second */
  constructor (
    private readonly origin: string, private readonly truth: Truth, private readonly rate: number,
    private readonly choices: Choices
  ) {}

  start (): void {
    this.isRunning = true
    this.running = this.run()
    // stop() throws the error. Without this line, Node would end the process for an unhandled rejection.
    this.running.catch(() => {})
  }

  /** Resolves when the server has answered everything. */
  async stop (): Promise<void> {
    this.isRunning = false
    await this.running
  }

  /** Publishes so many messages, and at least one of each topic. */
  async burst (count: number): Promise<void> {
    for (let left = Math.max(count, topics.length); left > 0; left -= BATCH) {
      await this.publish(Math.min(left, BATCH))
    }
  }

  private async run (): Promise<void> {
    const began = Date.now()
    for (let sent = 0; this.isRunning; await delay(STEP_MS)) {
      const due = Math.floor((Date.now() - began) / 1000 * this.rate) - sent
      sent += due
      // After a pause, it sends at most one second's worth of what it missed.
      if (due > 0) await this.publish(Math.min(due, this.rate))
    }
  }

  /** Sends each message until the server has taken it; its key keeps it from being doubled. */
  private async publish (count: number): Promise<void> {
    let items = Array.from({ length: count }, () => this.next())
    const deadline = Date.now() + PATIENT_MS
    for (let refusal = ''; items.length > 0; await delay(RETRY_MS)) {
      if (Date.now() > deadline) throw new Error(`the server did not take ${items.length} messages: ${refusal}`)
      const messages = items.map(({ topic, data, replaces, key }) => ({
        channel: channelOf(topic),
        symbol: symbolOf(topic),
        data,
        idempotency_key: key,
        ...replaces ? { snapshot: true } : {}
      }))
      try {
        const answer = await publishTo(this.origin, this.token, messages, PATIENT_MS)
        refusal = JSON.stringify(answer)
        items = items.filter((item, index) => !this.note(item, answer.sequences?.[index]))
        if (items.length === 0) return
      } catch (error) {
        // What listened there may have gone away with its connections.
        if (!(error instanceof TypeError)) throw error
        refusal = error.message
      }
    }
  }

  /** @returns whether the server has taken it */
  private note ({ topic, data, replaces }: Item, sequence: number | null | undefined): boolean {
    if (sequence === null || sequence === undefined) return false
    this.truth.note(topic, sequence, data, replaces)
    return true
  }

  /** In turn, so that every topic has its part; a book begins with a snapshot. */
  private next (): Item {
    const number = ++this.number
    const topic = topics[number % topics.length]!
    const isBook = channelOf(topic) === 'book'
    const replaces = isBook && (this.isFirst(topic) || this.choices.integer(1, SNAPSHOT_EVERY) === 1)
    return { topic, data: dataOf(topic, number, replaces, this.choices), replaces, key: String(number) }
  }

  private isFirst (topic: string): boolean {
    return this.truth.last(topic) === undefined
  }
}
