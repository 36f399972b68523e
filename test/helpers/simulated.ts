import { type Quote } from '@tickwire/protocol'
import { type MarketOptions, SimulatedMarket } from '../../src/sources/simulated/market.js'
import type { SourceMessage } from '../../src/sources/source.js'

/** A Monday, 12:00 in Seoul. */
export const MONDAY = Date.UTC(2026, 0, 5, 3)
/** Longer than any test lasts. */
const NEVER_MS = 1e12

export function makeMarket (options: Partial<MarketOptions> = {}, start = MONDAY): SimulatedMarket {
  return new SimulatedMarket({ seed: 1, rate: 2.5, hours: 'always', membershipEveryMs: NEVER_MS, haltEveryMs: NEVER_MS, ...options }, start)
}

/** What a market says in so many seconds of the wall clock. */
export function play (options: Partial<MarketOptions>, seconds: number, start = MONDAY): SourceMessage[] {
  return makeMarket(options, start).advance(start + seconds * 1000).messages
}

/** The middle of bid and ask, for a chart. */
export const middle = ({ bid = '', ask = '' }: Quote): number => (Number(bid) + Number(ask)) / 2
