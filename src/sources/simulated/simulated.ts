import { setTimeout as delay } from 'node:timers/promises'
import type { Instrument } from '@tickwire/protocol'
import type { Lazy, Source, SourceContext } from '../source.js'
import { describe, listings } from './instruments.js'
import { type MarketOptions, SimulatedMarket } from './market.js'

/**
 * The time that a batch covers: short, so that messages come evenly, yet long enough that appending costs
 * little.
 */
const BATCH_MS = 15
/**
 * If the market is further behind than this, it skips time and does not queue messages. This bounds a batch
 * as well.
 */
const MAX_BEHIND_MS = 100
/** The average time between changes of membership: an instrument is listed, or moves. */
const MEMBERSHIP_EVERY_MS = 180_000

/** The average time between halts of a venue. */
const HALT_EVERY_MS = 900_000

/** Quotes of one instrument in a second. */
const DEFAULT_RATE = 2.5

export interface SimulatedOptions extends Partial<MarketOptions> {
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  /** How long it goes on without subscribers, in milliseconds; undefined: for ever. */
  readonly lingerMs?: number | undefined
}

const CHANNELS = ['quotes', 'trades', 'book', 'market', 'news']

/**
 * A market without a venue: shares of the Korean and American exchanges, crypto currencies and foreign
 * exchange. The names are real, the prices made up.
 *
 * While it runs, instruments are listed and move (membership.ts), and the source declares them again. If it
 * stops and starts on the same server, the same market goes on. On another server a new market begins, with
 * the instruments where they are known to be; its prices do not continue the earlier ones.
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
    const defaults = {
      seed: 1,
      rate: DEFAULT_RATE,
      hours: 'always',
      membershipEveryMs: MEMBERSHIP_EVERY_MS,
      haltEveryMs: HALT_EVERY_MS
    } as const
    this.options = { ...defaults, ...options }
  }

  async instruments (): Promise<readonly Instrument[]> {
    return this.market?.instruments() ?? listings.map(describe)
  }

  async run ({ publish, declare, instrument, signal }: SourceContext): Promise<void> {
    const market = this.market ??= new SimulatedMarket(this.options, this.clock())
    // The last messages may not have arrived, or another server may have run the market since.
    market.adopt(instrument)
    market.restate()
    await declare(market.instruments())
    while (!signal.aborted) {
      const now = this.clock()
      if (Math.abs(now - market.time) > MAX_BEHIND_MS) market.skipTo(now - BATCH_MS)
      const { declared, messages } = market.advance(now)
      if (declared.length > 0) await declare(declared)
      if (messages.length > 0) await publish(messages)
      // Even a market that is behind waits for a moment, so that others get to work.
      await delay(Math.max(1, market.time + BATCH_MS - this.clock()), undefined, { signal }).catch(() => {})
    }
  }
}
