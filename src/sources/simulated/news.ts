import type { News } from '@tickwire/protocol'
import type { Listing } from './instruments.js'
import type { Random } from './random.js'

/** The source of all headlines, so that nobody takes them for news of real companies. */
const SOURCE = 'Tickwire simulation'

/** The largest and smallest return that a headline causes. */
const MAX_SHOCK = 0.0025
const MIN_SHOCK = 0.0005

type Sentiment = 'positive' | 'negative' | 'neutral'

/** Headlines about a company; `{name}` and `{sector}` are filled in. */
const HEADLINES: Readonly<Record<Sentiment, readonly string[]>> = {
  positive: [
    '{name} raises its outlook for the year',
    '{name} beats expectations with its quarterly result',
    'Analysts turn more optimistic about {name}',
    '{name} announces a buyback',
    'Demand lifts {sector}: {name} ahead'
  ],
  negative: [
    '{name} lowers its outlook for the year',
    '{name} misses expectations with its quarterly result',
    'Analysts turn more cautious about {name}',
    'Delays weigh on {name}',
    'Worries about {sector}: {name} under pressure'
  ],
  neutral: [
    '{name} to present at a conference next week',
    '{name} names a new head of operations',
    'What to watch at {name} this quarter'
  ]
}

/** Headlines about assets without a company behind them. */
const ASSET_HEADLINES: typeof HEADLINES = {
  positive: [
    'Inflows into {name} pick up',
    '{name} upgrade goes live without trouble',
    'Large holders add to {name}'
  ],
  negative: [
    'Outflows from {name} pick up',
    '{name} transfers slow down as fees rise',
    'Large holders reduce {name}'
  ],
  neutral: [
    '{name} developers meet to discuss the next upgrade',
    'Trading in {name} calm ahead of the weekend'
  ]
}

/** Share of headlines that are about a whole sector in one market. */
const SECTOR_SHARE = 0.2
const SECTOR_HEADLINES: Readonly<Record<Sentiment, string>> = {
  positive: 'Brighter prospects for {sector} in {market}',
  negative: 'New rules may burden {sector} in {market}',
  neutral: 'A look at {sector} in {market}'
}

/** A headline, and its effect on the prices of its symbols. */
export interface Headline {
  readonly data: News
  /** The return that it causes. */
  readonly shock: number
}

/** Writes a headline about one of the listings, or about its sector. */
export function writeHeadline (listings: readonly Listing[], random: Random, timestamp: string): Headline {
  const about = random.oneOf(listings)
  const sentiment = random.oneOf(['positive', 'negative', 'positive', 'negative', 'neutral'] as const)
  const peers = listings.filter(({ market, sector }) => market === about.market && sector === about.sector)
  const ofSector = peers.length > 1 && random.next() < SECTOR_SHARE
  const template = ofSector
    ? SECTOR_HEADLINES[sentiment]
    : random.oneOf((about.market === 'CRYPTO' ? ASSET_HEADLINES : HEADLINES)[sentiment])
  const size = MIN_SHOCK + (MAX_SHOCK - MIN_SHOCK) * random.next()
  return {
    data: {
      headline: template.replace('{name}', about.name)
        .replace('{sector}', about.sector.replaceAll('-', ' '))
        .replace('{market}', about.market),
      source: SOURCE,
      symbols: (ofSector ? peers : [about]).map(({ symbol }) => symbol),
      sentiment,
      timestamp
    },
    shock: sentiment === 'positive' ? size : sentiment === 'negative' ? -size : 0
  }
}

/** Writes the headline about a new instrument. */
export function announceListing ({ symbol, name, market }: Listing, timestamp: string): News {
  return {
    headline: `${name} is listed on ${market}`,
    source: SOURCE,
    symbols: [symbol],
    sentiment: 'neutral',
    timestamp
  }
}
