import type { News } from '@tickwire/protocol'
import type { Listing } from './instruments.js'
import type { Random } from './random.js'

interface Template {
  readonly text: (name: string, sector: string) => string
  readonly sentiment: 'positive' | 'negative' | 'neutral'
}

const templates: readonly Template[] = [
  { text: name => `${name} raises its forecast for the year`, sentiment: 'positive' },
  { text: name => `${name} wins a large order from abroad`, sentiment: 'positive' },
  { text: name => `${name} beats expectations for the quarter`, sentiment: 'positive' },
  { text: name => `Brokers turn to buying ${name}`, sentiment: 'positive' },
  { text: name => `${name} warns of weaker demand`, sentiment: 'negative' },
  { text: name => `Regulators look into ${name}`, sentiment: 'negative' },
  { text: name => `${name} misses expectations for the quarter`, sentiment: 'negative' },
  { text: name => `A supplier of ${name} halts its deliveries`, sentiment: 'negative' },
  { text: (name, sector) => `${name} in talks with a partner in ${sector}`, sentiment: 'neutral' },
  { text: name => `${name} names a new head of finance`, sentiment: 'neutral' }
]

/** Largest jump of a price at news, as a share of it. */
const MAX_JUMP = 0.012

export interface Headline {
  readonly news: News
  /** What it does to the logarithm of the price. */
  readonly jump: number
}

export function headline ({ symbol, name, sector }: Listing, random: Random, timestamp: string): Headline {
  const { text, sentiment } = random.pick(templates)
  const size = MAX_JUMP * random.next()
  return {
    news: { headline: text(name, sector.replaceAll('-', ' ')), source: 'Tickwire Simulated News', symbols: [symbol], sentiment, timestamp },
    jump: sentiment === 'positive' ? size : sentiment === 'negative' ? -size : 0
  }
}
