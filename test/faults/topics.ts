/**
 * Every so many topics, one has a state (quotes); the others are histories. Each message carries its topic's
 * own number in `price` or `bid`.
 */
const QUOTES_EVERY = 5

export interface Topic {
  readonly key: string
  readonly channel: 'trades' | 'quotes'
  readonly symbol: string
}

export function makeTopics (count: number): Topic[] {
  return Array.from({ length: count }, (_, index): Topic => {
    const channel = index % QUOTES_EVERY === 0 ? 'quotes' : 'trades'
    const symbol = `S${index}`
    return { key: `${channel}:${symbol}`, channel, symbol }
  })
}

/** What all trades of a run have. */
export const TRADE = { size: '1', timestamp: '2026-01-01T00:00:00Z' }

export function dataOf ({ channel, symbol }: Topic, number: number): object {
  return channel === 'quotes'
    ? { symbol, bid: String(number) }
    : { symbol, price: String(number), ...TRADE }
}

/** Whether a topic is one that the run publishes to; processors publish to the others. */
export const isPublished = (topic: string): boolean => /^(?:trades|quotes):/.test(topic)

/** NaN where there is none. */
export function numberOf (data: unknown): number {
  const { price, bid } = data as { price?: string, bid?: string }
  return Number(price ?? bid)
}
