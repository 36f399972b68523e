import { book, market, quotes, topicKey, trades } from '@tickwire/protocol'

/** How long a symbol goes on to be followed after it has stopped to matter, in milliseconds. */
const LINGER_MS = 60_000
/** How often symbols that have stopped to matter are looked for, in milliseconds. */
const LOOK_MS = 10_000

/** Lets a followed symbol count as subscribed to, so that lazy sources bring it. */
export interface MarketDemand {
  add (channel: string, symbol: string): void
  remove (channel: string, symbol: string): void
}

/**
 * Why a symbol matters: an order that may be filled here, an order whose cost follows from the last price, or
 * only a price that values something.
 */
export type Reason = 'order' | 'last' | 'price'

const CHANNELS: Readonly<Record<Reason, readonly string[]>> = {
  order: [book.name, trades.name, quotes.name], last: [trades.name, quotes.name], price: [quotes.name]
}
/** The channels whose topics have a state, which is learned before anything is decided. */
const WITH_STATE: readonly string[] = [book.name, quotes.name, market.name]

interface Followed {
  readonly channel: string
  readonly symbol: string
  /** When it mattered last, in milliseconds since 1970. */
  at: number
}

/** The topics of the market that matter: those of open orders, of positions and of rates. */
export class Interest {
  /** By key. */
  private readonly topics = new Map<string, Followed>()
  private lookAt = 0

  constructor (private readonly demand: MarketDemand) {}

  has (topic: string): boolean {
    return this.topics.has(topic)
  }

  /** Follows a symbol. Returns the keys of topics that have a state and were not followed before. */
  add (symbol: string, reason: Reason, now: number): string[] {
    return CHANNELS[reason].flatMap(channel => this.addTopic(channel, symbol, now))
  }

  /** Follows the status of a market. Otherwise like {@link add}. */
  addMarket (name: string, now: number): string[] {
    return this.addTopic(market.name, name, now)
  }

  /**
   * Ends following topics that have not mattered for a while. Returns their keys; none most of the time.
   * @param renew adds again what matters
   */
  prune (now: number, renew: () => void): readonly string[] {
    if (now < this.lookAt) return []
    this.lookAt = now + LOOK_MS
    renew()
    const ended: string[] = []
    for (const [key, { channel, symbol, at }] of this.topics) {
      if (now - at < LINGER_MS) continue
      this.topics.delete(key)
      this.demand.remove(channel, symbol)
      ended.push(key)
    }
    return ended
  }

  end (): void {
    for (const { channel, symbol } of this.topics.values()) this.demand.remove(channel, symbol)
    this.topics.clear()
  }

  private addTopic (channel: string, symbol: string, now: number): string[] {
    const key = topicKey({ channel, symbol })
    const known = this.topics.get(key)
    if (known !== undefined) {
      known.at = now
      return []
    }
    this.topics.set(key, { channel, symbol, at: now })
    this.demand.add(channel, symbol)
    return WITH_STATE.includes(channel) ? [key] : []
  }
}
