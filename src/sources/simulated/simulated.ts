import { setTimeout as delay } from 'node:timers/promises'
import type { Instrument } from '@tickwire/protocol'
import type { Lazy, Source, SourceContext } from '../source.js'
import { describe, listings } from './instruments.js'
import { type MarketOptions, SimulatedMarket } from './market.js'

/** What a batch covers: short enough that messages come evenly, long enough that appending costs little of each. */
const BATCH_MS = 15
/** Further behind than this, time is skipped: what cannot be published in time is not queued. Bounds a batch as well. */
const MAX_BEHIND_MS = 100
/** An instrument is listed or moves so often on average. */
const MEMBERSHIP_EVERY_MS = 180_000

/** Quotes of an instrument in a second. */
const DEFAULT_RATE = 2.5

export interface SimulatedOptions extends Partial<MarketOptions> {
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  /** How long it goes on without subscribers, in milliseconds; undefined: always. */
  readonly lingerMs?: number | undefined
}

const CHANNELS = ['quotes', 'trades', 'book', 'market', 'news']

/**
 * A market without a venue: shares of the Korean and American exchanges, and crypto currencies. Real names, made-up
 * prices.
 *
 * Instruments are listed and move while it runs (membership.ts), and are declared again when they do. Stopped and
 * started again on the same server, the same market goes on. On another server one begins anew, with the instruments as they are known: its
 * prices do not follow from those before.
 */
export class Simulated implements Source {
  readonly name = 'simulated'
  readonly manual = false
  readonly lazy: Lazy | undefined
  private readonly options: MarketOptions
  private readonly clock: () => number
  private market: SimulatedMarket | undefined

  constructor ({ clock = Date.now, lingerMs, ...options }: SimulatedOptions = {}) {
    this.clock = clock
    this.lazy = lingerMs === undefined ? undefined : { channels: CHANNELS, lingerMs }
    this.options = { seed: 1, rate: DEFAULT_RATE, hours: 'always', membershipEveryMs: MEMBERSHIP_EVERY_MS, ...options }
  }

  async instruments (): Promise<readonly Instrument[]> {
    return this.market?.instruments() ?? listings.map(describe)
  }

  async run ({ publish, declare, instrument, signal }: SourceContext): Promise<void> {
    const market = this.market ??= new SimulatedMarket(this.options, this.clock())
    // What was published last may not have arrived, or another server may have gone on since.
    market.adopt(instrument)
    market.restate()
    await declare(market.instruments())
    while (!signal.aborted) {
      const now = this.clock()
      if (Math.abs(now - market.time) > MAX_BEHIND_MS) market.skipTo(now - BATCH_MS)
      const { declared, messages } = market.advance(now)
      if (declared.length > 0) await declare(declared)
      if (messages.length > 0) await publish(messages)
      // At least a moment, also when behind: others want to work as well.
      await delay(Math.max(1, market.time + BATCH_MS - this.clock()), undefined, { signal }).catch(() => {})
    }
  }
}
