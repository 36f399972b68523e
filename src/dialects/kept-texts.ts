/** How many texts are kept. When one more is needed, all are dropped and made again on demand. */
const MAX_KEPT = 20_000

interface Kept {
  readonly payload: string
  readonly text: string | undefined
}

/**
 * Keeps what was made of the newest message of each topic. A dialect of one connection shares no bytes with
 * others; so the costly part of its messages is made once for all of them.
 */
export class KeptTexts {
  private readonly kept = new Map<string, Kept>()

  /** @param make returns undefined for a message of which nothing is sent */
  constructor (private readonly make: (payload: string, timestamp: number) => string | undefined) {}

  of (topic: string, payload: string, timestamp: number): string | undefined {
    const known = this.kept.get(topic)
    if (known?.payload === payload) return known.text
    const text = this.make(payload, timestamp)
    if (this.kept.size >= MAX_KEPT) this.kept.clear()
    this.kept.set(topic, { payload, text })
    return text
  }
}
