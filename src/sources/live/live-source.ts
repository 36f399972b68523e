import type { Instrument, MarketStatus } from '@tickwire/protocol'
import { staleBook } from '../../book/book-event.js'
import type { Lazy, Source, SourceContext, SourceMessage } from '../source.js'
import type { Venue } from '../venues/venue.js'
import { systemClock } from './clock.js'
import { FeedCounts } from './counts.js'
import { LiveRun, type LiveRunOptions } from './live-run.js'
import { httpGet, RestAccount } from './rest.js'
import { openSocket } from './socket.js'

export interface LiveOptions {
  readonly venue: Venue
  /** The venue's symbols. */
  readonly venueSymbols: readonly string[]
  /** What is put behind each symbol, to tell it from the same symbol of another venue. */
  readonly suffix: string
  readonly depth: number | undefined
  /** Addresses in place of the venue's own. */
  readonly url?: string | undefined
  readonly rest?: string | undefined
  /** How long it goes on without subscribers, in milliseconds; undefined: it always runs. */
  readonly lingerMs: number | undefined
  readonly surroundings?: LiveRunOptions['surroundings']
}

const WORLD = { clock: systemClock, random: Math.random, openSocket, httpGet }

/** Reads a venue as it trades. */
export class LiveSource implements Source {
  readonly name: string
  readonly manual = false
  readonly lazy: Lazy | undefined
  readonly counts = new FeedCounts()
  private readonly runOptions: LiveRunOptions

  constructor (options: LiveOptions) {
    const { venue, suffix, lingerMs, depth, url, rest, surroundings } = options
    const market = venue.name.toUpperCase()
    const described = options.venueSymbols.map(venueSymbol => {
      const { symbol, ...instrument } = venue.instrument(venueSymbol)
      return { ...instrument, symbol: symbol + suffix, market, venue_symbol: venueSymbol }
    })
    this.name = venue.name
    this.lazy = lingerMs === undefined ? undefined : { channels: [...venue.channels, 'market'], lingerMs }
    this.runOptions = {
      venue,
      symbols: new Map(described.map(({ symbol, venue_symbol: venueSymbol }) => [venueSymbol, symbol])),
      instruments: new Map(described.map(instrument => [instrument.symbol, instrument])),
      market,
      depth: depth ?? venue.feed.depths?.[0],
      url: url ?? venue.feed.url,
      rest: rest ?? (url === undefined ? venue.feed.rest?.url : undefined),
      restAccount: new RestAccount(),
      surroundings: surroundings ?? WORLD,
      counts: this.counts,
      lastTrades: new Map()
    }
  }

  async instruments (): Promise<readonly Instrument[]> {
    return [...this.runOptions.instruments.values()]
  }

  async run (context: SourceContext): Promise<void> {
    await new LiveRun(this.runOptions, context).run()
  }

  /** Nobody follows its books any more: they are not good until it runs again. */
  lastWords (): readonly SourceMessage[] {
    const { market, symbols } = this.runOptions
    const data: MarketStatus = { market, status: 'stale', reason: `nobody reads ${this.name} at the moment` }
    return [...[...symbols.values()].map(staleBook), { channel: 'market', symbol: market, data }]
  }
}
