import { setTimeout as delay } from 'node:timers/promises'
import type { Instrument } from '@tickwire/protocol'
import type { Source, SourceContext } from '../source.js'
import { Market, type MarketOptions } from './market.js'

/** How often what has become due is published: evenly, and in few batches. */
const TICK_MS = 15
/** Behind by more than this, the market leaves out what it missed. */
const MAX_BEHIND_MS = 1000

export const DEFAULT_RATE = 2.5

/**
 * Markets that look like markets, without a venue: quotes, trades, books, statuses and news of some fifty instruments
 * (`Market`). An instrument that changes its market or sector stays where it trades; it only belongs elsewhere.
 */
export class Simulated implements Source {
  readonly name = 'simulated'
  readonly manual = false
  private market: Market | undefined

  constructor (private readonly options: Omit<MarketOptions, 'start'> = { seed: 1, rate: DEFAULT_RATE, hours: 'always' }) {}

  async instruments (): Promise<readonly Instrument[]> {
    return (this.market ?? new Market({ ...this.options, start: 0 })).instruments()
  }

  async run ({ publish, declare, signal }: SourceContext): Promise<void> {
    if (this.market !== undefined) {
      // Stopped and started again, the market goes on; what it said last may not have arrived.
      this.market.restate()
      await declare(this.market.instruments())
    }
    const market = this.market ??= new Market({ ...this.options, start: Date.now() })
    while (!signal.aborted) {
      const now = Date.now()
      if (now - market.due > MAX_BEHIND_MS) market.skipTo(now)
      const { instruments, messages } = market.until(now)
      if (instruments.length > 0) await declare(instruments)
      if (messages.length > 0) await publish(messages)
      await delay(Math.max(TICK_MS, market.due - Date.now()), undefined, { signal }).catch(() => {})
    }
  }
}
