import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds between two batches. */
const STEP_MS = 20
const ANSWER_TIMEOUT_MS = 5000
const RETRY_MS = 50
/** After it, what is not taken never will be. */
const GIVE_UP_MS = 60_000

export const symbolOf = (topic: number): string => `T${topic}`

/**
 * Publishes at a steady rate, over all topics in turn, each message to whichever node takes it: again with the same key until one does, so
 * that each is in the log once. In each message stands when it was published.
 */
export class Feed {
  /** By topic, how many messages are in the log. */
  readonly published: number[]
  /** Requests that a node did not take. */
  readonly refused = { unreachable: 0, goingAway: 0, otherwise: [] as string[] }
  private turn = 0
  private over = false
  private running: Promise<void> = Promise.resolve()

  constructor (private readonly origins: readonly string[], private readonly token: string, topics: number, private readonly perSecond: number) {
    this.published = Array<number>(topics).fill(0)
  }

  start (): void {
    this.running = this.run()
  }

  async stop (): Promise<void> {
    this.over = true
    await this.running
  }

  private async run (): Promise<void> {
    const began = Date.now()
    let sent = 0
    while (!this.over) {
      const due = Math.floor((Date.now() - began) / 1000 * this.perSecond) - sent
      // Of what a pause held up it makes good no more than a second's worth, or it would be a burst.
      const count = Math.min(due, this.perSecond)
      sent += due
      if (count > 0) await this.publish(count)
      await delay(STEP_MS)
    }
  }

  private async publish (count: number): Promise<void> {
    const at = new Date().toISOString()
    const items = Array.from({ length: count }, () => {
      const topic = this.turn++ % this.published.length
      const number = ++this.published[topic]!
      return { channel: 'trades', symbol: symbolOf(topic), idempotency_key: `${topic}-${number}`, data: { symbol: symbolOf(topic), price: String(number), size: '1', timestamp: at } }
    })
    const body = JSON.stringify(items)
    const deadline = Date.now() + GIVE_UP_MS
    for (let attempt = 0; !await this.attempt(this.origins[(this.turn + attempt) % this.origins.length]!, body); attempt++) {
      if (Date.now() > deadline) throw new Error(`no node took ${count} messages in ${GIVE_UP_MS} ms`)
      // The next one may take it at once; it is waited where none did.
      if (attempt % this.origins.length === this.origins.length - 1) await delay(RETRY_MS)
    }
  }

  private async attempt (origin: string, body: string): Promise<boolean> {
    try {
      const response = await fetch(`${origin}/v1/publish`, {
        method: 'POST', body, headers: { 'content-type': 'application/json', authorization: `Bearer ${this.token}` }, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS)
      })
      const { accepted, code } = await response.json() as { accepted?: number, code?: string }
      if (response.status === 200 && accepted !== undefined) return true
      if (code === 'going_away') this.refused.goingAway++
      else this.refused.otherwise.push(`${response.status} ${code}`)
    } catch {
      this.refused.unreachable++
    }
    return false
  }
}
