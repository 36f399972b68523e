import { setTimeout as delay } from 'node:timers/promises'
import { publishTo } from '../fleet/publish.js'
import type { Choices } from '../helpers/random.js'
import { dataOf, type Topic } from './topics.js'

const LANES = 10
const MAX_BATCH = 5
const RETRY_MS = [50, 150] as const
/** A message that is not acknowledged in this time never will be. */
const GIVE_UP_MS = 60_000

/** A message that the server said is in the log. */
export interface Acknowledged {
  readonly topic: string
  readonly number: number
  readonly sequence: number
  /** Milliseconds of its first attempt, and of the answer: it was appended between them. */
  readonly startedAt: number
  readonly endedAt: number
}

/** One attempt that was answered. */
interface Answer {
  readonly at: number
  readonly ms: number
  readonly status: number
  readonly code: string | undefined
}

interface Item {
  readonly topic: Topic
  readonly number: number
}

/**
 * Publishes numbered messages to the nodes in turn, and repeats each until it is acknowledged. A topic
 * belongs to one lane, and a lane has one request at a time, so the log has the numbers of a topic in their
 * order, whatever is repeated.
 */
export class Publisher {
  readonly acknowledged: Acknowledged[] = []
  readonly answers: Answer[] = []
  /** By topic and number, when it was first tried. */
  readonly started = new Map<string, number[]>()
  readonly failures: string[] = []
  readonly attempts = { answered: 0, unavailable: 0, unanswered: 0 }
  /** Only these nodes are asked. */
  targets: readonly string[]
  private readonly lanes: Array<{ readonly topics: Topic[], readonly marks: Item[] }>
  private readonly onAcknowledged = new Set<() => void>()
  private running: Array<Promise<void>> = []
  private stopping = false

  constructor (
    readonly origins: readonly string[],
    private readonly token: string,
    private readonly topics: readonly Topic[],
    private readonly perSecond: number,
    private readonly random: Choices
  ) {
    this.targets = origins
    this.lanes = Array.from({ length: LANES }, (_, lane) => (
      { topics: topics.filter((_, index) => index % LANES === lane), marks: [] }))
    for (const { key } of topics) this.started.set(key, [])
  }

  start (): void {
    this.running = this.lanes.map((_, lane) => this.run(lane))
  }

  /**
   * Publishes one last message of every topic.
   * @returns the number of that message by topic, once all messages are acknowledged
   */
  async finish (): Promise<Map<string, number>> {
    this.stopping = true
    await Promise.all(this.running)
    const last = this.lanes.map(({ topics }) => topics.map(topic => this.next(topic)))
    await Promise.all(last.map(async batch => { await this.publish(batch) }))
    return new Map(last.flat().map(({ topic, number }) => [topic.key, number]))
  }

  /** Ends at once, whatever is not acknowledged. */
  abandon (): void {
    this.stopping = true
    this.fail('the run was ended')
  }

  /** Publishes one message of every topic. @returns its number by topic, when all are acknowledged */
  async mark (): Promise<Map<string, number>> {
    const numbers = new Map<string, number>()
    for (const lane of this.lanes) {
      for (const topic of lane.topics) {
        const item = this.next(topic)
        numbers.set(topic.key, item.number)
        lane.marks.push(item)
      }
    }
    const missing = new Map(numbers)
    let seen = this.acknowledged.length
    await this.until(() => {
      for (; seen < this.acknowledged.length; seen++) {
        const { topic, number } = this.acknowledged[seen]!
        if (missing.get(topic) === number) missing.delete(topic)
      }
      return missing.size === 0
    })
    return numbers
  }

  /**
   * Waits until so many messages are acknowledged whose first attempt began from now on.
   * @param concerned of which topics
   */
  async more (count: number, concerned: (topic: string) => boolean = () => true): Promise<void> {
    const from = Date.now()
    let seen = this.acknowledged.length
    let counted = 0
    await this.until(() => {
      for (; seen < this.acknowledged.length; seen++) {
        const { startedAt, topic } = this.acknowledged[seen]!
        if (startedAt > from && concerned(topic)) counted++
      }
      return counted >= count
    })
  }

  /** Milliseconds of the slowest answer to a request of a time. */
  slowest (from: number, to: number): number {
    const answers = this.answers.filter(({ at }) => at >= from && at <= to)
    return Math.round(Math.max(0, ...answers.map(({ ms }) => ms)))
  }

  /** Numbers are taken in the order in which the lane publishes them. */
  private next (topic: Topic): Item {
    const started = this.started.get(topic.key)!
    started.push(Infinity)
    return { topic, number: started.length }
  }

  private async until (holds: () => boolean): Promise<void> {
    if (holds()) return
    if (this.failures.length > 0) throw new Error(this.failures[0])
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        const done = holds()
        if (!done && this.failures.length === 0) return
        this.onAcknowledged.delete(look)
        if (done) resolve()
        else reject(new Error(this.failures[0]))
      }
      this.onAcknowledged.add(look)
    })
  }

  private async run (index: number): Promise<void> {
    const { topics, marks } = this.lanes[index]!
    const pause = (1 + MAX_BATCH) / 2 * LANES * 1000 / this.perSecond
    let due = Date.now() + this.random.next() * pause
    while (!this.stopping && this.failures.length === 0) {
      const batch = marks.length > 0
        ? marks.splice(0)
        : Array.from({ length: this.random.integer(1, MAX_BATCH) }, () => this.next(this.random.pick(topics)))
      await this.publish(batch)
      due = Math.max(due + pause, Date.now() - pause)
      // Marks do not wait for their turn.
      while (Date.now() < due && marks.length === 0 && !this.stopping) {
        await delay(Math.min(20, due - Date.now()))
      }
    }
  }

  private async publish (batch: readonly Item[]): Promise<void> {
    const startedAt = Date.now()
    for (const { topic, number } of batch) this.started.get(topic.key)![number - 1] = startedAt
    let left = batch
    let attempt = this.random.integer(0, 1)
    for (; Date.now() - startedAt < GIVE_UP_MS && this.failures.length === 0; attempt++) {
      const sequences = await this.attempt(this.targets[attempt % this.targets.length]!, left)
      const endedAt = Date.now()
      left.forEach(({ topic, number }, place) => {
        const sequence = sequences[place]
        if (typeof sequence === 'number') this.acknowledged.push({ topic: topic.key, number, sequence, startedAt, endedAt })
      })
      left = left.filter((_item, place) => typeof sequences[place] !== 'number')
      for (const look of [...this.onAcknowledged]) look()
      if (left.length === 0) return
      await delay(this.random.integer(...RETRY_MS))
    }
    if (this.failures.length === 0) this.fail(`not acknowledged in ${GIVE_UP_MS} ms: ${JSON.stringify(messagesOf(left))}`)
  }

  /**
   * Returns the sequences in the order of the batch. A message without a sequence must be sent again: one
   * part of the log may have taken its messages, and another part not.
   */
  private async attempt (origin: string, batch: readonly Item[]): Promise<ReadonlyArray<number | null>> {
    const at = Date.now()
    try {
      const answer = await publishTo(origin, this.token, messagesOf(batch))
      const { status, code, rejected = [], sequences = [] } = answer
      this.attempts.answered++
      this.answers.push({ at, ms: Date.now() - at, status, code })
      const codes = status === 200 ? rejected.map(({ code }) => code) : [code]
      if (codes.length > 0) this.attempts.unavailable++
      if (status === 503 || codes.every(code => code === 'log_unavailable')) return sequences
      this.fail(`publish answered ${JSON.stringify(answer)}`)
    } catch {
      // Nobody listens, the connection broke, or no answer came: whether it was appended is not known.
      this.attempts.unanswered++
    }
    return []
  }

  private fail (what: string): void {
    this.failures.push(what)
    for (const look of [...this.onAcknowledged]) look()
  }
}

function messagesOf (batch: readonly Item[]): object {
  const messages = batch.map(({ topic, number }) => (
    {
      channel: topic.channel,
      symbol: topic.symbol,
      data: dataOf(topic, number),
      idempotency_key: String(number)
    }))
  return messages.length === 1 ? messages[0]! : messages
}
