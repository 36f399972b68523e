import { setTimeout as delay } from 'node:timers/promises'

const STEP_MS = 20
const RETRY_MS = 100
const ANSWER_TIMEOUT_MS = 5000
const BATCH = 200
/** After it, what is not taken never will be. */
const GIVE_UP_MS = 60_000

export const topics = ['trades:C1', 'trades:C2', 'quotes:C3', 'news'] as const
/** Topics with a state: a client that begins is given it. */
export const stateTopics: readonly string[] = ['quotes:C3']
export const query = 'subscribe=trades:C1,C2&subscribe=quotes:C3&subscribe=news'

/** What readers that split text at more than CR and LF trip over, characters of two to four bytes, and what JSON escapes. */
const ODD_TEXT = '속보 “가나다” 😀 \\ / " \u0085 \u2028 \u2029 \t end'

/** What message `number` of a topic says. */
export function dataOf (topic: string, number: number): object {
  const timestamp = new Date(number * 1000).toISOString()
  const symbol = topic.split(':')[1]
  if (topic === 'news') return { headline: `${number} ${ODD_TEXT}`, source: 'clients', symbols: [], timestamp }
  if (topic.startsWith('quotes:')) return { symbol, bid: String(number), ask: `${number}.50` }
  return { symbol, price: String(number), size: '1.0', timestamp }
}

/** Publishes numbered messages over all topics in turn, each once: again with the same key until the server takes it. */
export class Feed {
  /** By topic, how many messages the log has. */
  readonly published = new Map<string, number>(topics.map(topic => [topic, 0]))
  private turn = 0
  private rate = 0
  private over = false
  private running: Promise<void> = Promise.resolve()

  constructor (private readonly origin: string, private readonly token: string) {}

  /** @param rate messages a second */
  start (rate: number): void {
    this.rate = rate
    this.over = false
    this.running = this.run()
  }

  async stop (): Promise<void> {
    this.over = true
    await this.running
  }

  /** Publishes so many messages at once. */
  async burst (count: number): Promise<void> {
    for (let left = count; left > 0; left -= BATCH) await this.publish(Math.min(left, BATCH))
  }

  private async run (): Promise<void> {
    const began = Date.now()
    for (let sent = 0; !this.over; await delay(STEP_MS)) {
      const due = Math.floor((Date.now() - began) / 1000 * this.rate) - sent
      sent += due
      // While the server was away, no more than a second's worth is made good.
      if (due > 0) await this.publish(Math.min(due, this.rate))
    }
  }

  private async publish (count: number): Promise<void> {
    const body = JSON.stringify(Array.from({ length: count }, () => {
      const topic = topics[this.turn++ % topics.length]!
      const number = this.published.get(topic)! + 1
      this.published.set(topic, number)
      const [channel, symbol] = topic.split(':')
      return { channel, ...symbol === undefined ? {} : { symbol }, data: dataOf(topic, number), idempotency_key: `${topic} ${number}` }
    }))
    const deadline = Date.now() + GIVE_UP_MS
    while (!await this.attempt(body, count)) {
      if (Date.now() > deadline) throw new Error(`the server took nothing for ${GIVE_UP_MS} ms`)
      await delay(RETRY_MS)
    }
  }

  private async attempt (body: string, count: number): Promise<boolean> {
    let answer: { accepted?: number, rejected?: object[] }
    try {
      const response = await fetch(`${this.origin}/v1/publish`, {
        method: 'POST', body, headers: { 'content-type': 'application/json', authorization: `Bearer ${this.token}` }, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS)
      })
      answer = await response.json() as typeof answer
      if (response.status !== 200) return false
    } catch {
      return false
    }
    if (answer.accepted !== count) throw new Error(`a message was rejected: ${JSON.stringify(answer.rejected?.[0])}`)
    return true
  }
}
