import { type AppendResult, IDEMPOTENCY_SECONDS } from '../log.js'

/** Clients' keys that are remembered; the oldest go first. */
const MAX_KEYS = 100_000

interface Answer {
  readonly key: string
  readonly result: AppendResult
  readonly shard: number
  readonly offset: number
  readonly expiresAt: number
}

/** No key of one topic can pass for another's, whatever characters users' names and keys hold. */
const keyOf = (topic: string, idempotencyKey: string): string => `${topic.length}:${topic}${idempotencyKey}`

/** What was answered to clients' keys: bounded by time and number. */
export class AnsweredKeys {
  private readonly answers = new Map<string, Answer>()
  /**
   * Oldest first from `start`. A Map keeps that order too, but its iterator walks over the holes of what was
   * deleted: at the bound any append took 17 to 20 µs in place of 1 to 4.
   */
  private queue: Answer[] = []
  private start = 0

  get (topic: string, idempotencyKey: string): AppendResult | undefined {
    return this.answers.get(keyOf(topic, idempotencyKey))?.result
  }

  /** Remembers a key that {@link get} does not know. */
  add (topic: string, idempotencyKey: string, result: { readonly shard: number, readonly offset: number, readonly sequence: number }, now: number): void {
    const { shard, offset } = result
    const answer = { key: keyOf(topic, idempotencyKey), result, shard, offset, expiresAt: now + IDEMPOTENCY_SECONDS * 1000 }
    this.answers.set(answer.key, answer)
    this.queue.push(answer)
    if (this.answers.size > MAX_KEYS) this.forgetOldest()
  }

  expire (now: number): void {
    while (this.start < this.queue.length && this.queue[this.start]!.expiresAt <= now) this.forgetOldest()
  }

  /** Forgets the answers that speak of messages beyond an offset of their shard. */
  loseBeyond (offsets: readonly number[]): void {
    this.queue = this.queue.slice(this.start).filter(({ key, shard, offset }) => offset <= offsets[shard]! || !this.answers.delete(key))
    this.start = 0
  }

  private forgetOldest (): void {
    this.answers.delete(this.queue[this.start++]!.key)
    if (this.start * 2 < this.queue.length) return
    this.queue = this.queue.slice(this.start)
    this.start = 0
  }
}
