import type { Instrument, MarketStatus } from '@tickwire/protocol'
import type { SourceMessage } from '../source.js'
import { headline } from './headlines.js'
import { type Hours, MarketClock } from './hours.js'
import { laterListings, type Listing, listings, moves } from './instruments.js'
import { Random } from './random.js'
import { Trading } from './trading.js'
import { Volatility } from './volatility.js'

export interface MarketOptions {
  readonly seed: number
  /** Turns of each instrument a second of the wall: so many quotes. */
  readonly rate: number
  readonly hours: Hours
  /** When it begins, in milliseconds since 1970. */
  readonly start: number
  /** Between two headlines, and between two changes of an instrument: on average, seconds. */
  readonly newsSeconds?: number
  readonly changeSeconds?: number
}

const NEWS_SECONDS = 20
const CHANGE_SECONDS = 300
/** How often a market is halted, on average, and for how long. */
const HALT_EVERY_SECONDS = 1800
const HALT_SECONDS = 20
/** Shares of a step that a market and a sector have in common. */
const MARKET_DEVIATION = 0.0002
const SECTOR_DEVIATION = 0.00018

/** What happens in a span of time, in order. */
export interface Happening {
  readonly instruments: readonly Instrument[]
  readonly messages: readonly SourceMessage[]
}

interface Venue {
  readonly clockSteps: Volatility
  status: MarketStatus['status'] | undefined
  haltedUntil: number
}

/**
 * Markets, instruments and news as they go on. All follows from the seed and the start: the same calls give the same
 * messages, byte for byte, whatever spans the time is cut into.
 */
export class Market {
  private readonly clock: MarketClock
  private readonly random: Random
  private readonly turnSeconds: number
  private readonly tradings: Trading[] = []
  private readonly venues = new Map<string, Venue>()
  private readonly sectors = new Map<string, Volatility>()
  private readonly later = [...laterListings]
  private readonly known = new Map<string, Instrument>()
  private moved = 0
  /** The next turn: every instrument has one in each round. */
  private round = 0
  private place = 0
  private common = new Map<string, number>()

  constructor (private readonly options: MarketOptions) {
    this.clock = new MarketClock(options.hours, options.start)
    this.random = new Random(options.seed)
    this.turnSeconds = 1 / options.rate
    for (const listing of listings) this.list(listing)
  }

  instruments (): Instrument[] {
    return [...this.known.values()]
  }

  /** When the next turn is due, in milliseconds since 1970. */
  get due (): number {
    return this.options.start + (this.round + this.place / this.tradings.length) * 1000 * this.turnSeconds
  }

  /** Leaves out what should have happened until now: a process that was held up does not do it all at once. */
  skipTo (now: number): void {
    this.round = Math.max(this.round, Math.floor((now - this.options.start) / (1000 * this.turnSeconds)))
  }

  /** Says all states anew: those of the markets, and each book with its next turn. */
  restate (): void {
    for (const venue of this.venues.values()) venue.status = undefined
    for (const trading of this.tradings) trading.restate()
  }

  /** All that happens until a time of the wall. */
  until (now: number): Happening {
    const instruments: Instrument[] = []
    const messages: SourceMessage[] = []
    while (this.due <= now) {
      const time = this.clock.at(this.due)
      if (this.place === 0) this.beginRound(time, instruments, messages)
      const trading = this.tradings[this.place]!
      const { market, sector } = trading.listing
      if (this.venues.get(market)!.status === 'open') {
        messages.push(...trading.turn(this.common.get(market)! + this.common.get(`@${sector}`)!, this.clock.bustle(market, time), time))
      }
      if (++this.place === this.tradings.length) {
        this.place = 0
        this.round++
      }
    }
    return { instruments, messages }
  }

  private list (listing: Listing): void {
    const { symbol, market, sector, name } = listing
    this.known.set(symbol, { symbol, market, sector, name })
    this.tradings.push(new Trading(listing, this.fork(), this.turnSeconds))
    const root = Math.sqrt(this.turnSeconds)
    if (!this.venues.has(market)) {
      this.venues.set(market, { clockSteps: new Volatility(this.fork(), MARKET_DEVIATION * root), status: undefined, haltedUntil: 0 })
    }
    if (!this.sectors.has(sector)) this.sectors.set(sector, new Volatility(this.fork(), SECTOR_DEVIATION * root))
  }

  /** A generator of its own for each part, so that one does not change what another draws. */
  private fork (): Random {
    return new Random(this.random.integer(0, 2 ** 31 - 1))
  }

  private beginRound (time: number, instruments: Instrument[], messages: SourceMessage[]): void {
    for (const [market, venue] of this.venues) {
      this.common.set(market, venue.clockSteps.step())
      this.announce(market, venue, time, messages)
    }
    for (const [sector, volatility] of this.sectors) this.common.set(`@${sector}`, volatility.step())
    const { newsSeconds = NEWS_SECONDS, changeSeconds = CHANGE_SECONDS } = this.options
    if (this.random.chance(this.turnSeconds / newsSeconds)) this.report(time, messages)
    if (this.random.chance(this.turnSeconds / changeSeconds)) instruments.push(this.change())
  }

  private announce (market: string, venue: Venue, time: number, messages: SourceMessage[]): void {
    const phase = this.clock.phase(market, time)
    if (phase.status === 'open' && time >= venue.haltedUntil && venue.status === 'open' && this.random.chance(this.turnSeconds / HALT_EVERY_SECONDS)) {
      venue.haltedUntil = time + HALT_SECONDS * 1000
    }
    const halted = phase.status === 'open' && time < venue.haltedUntil
    const status = halted ? 'halted' : phase.status
    if (status === venue.status) return
    if (status === 'open' && (venue.status === 'pre_open' || venue.status === 'closed')) {
      for (const trading of this.tradings) if (trading.listing.market === market) trading.openDay()
    }
    venue.status = status
    const until = halted ? venue.haltedUntil : phase.until
    messages.push({
      channel: 'market',
      symbol: market,
      data: { market, status, ...(halted ? { reason: 'volatility' } : {}), ...(until === undefined ? {} : { until: new Date(until).toISOString() }) }
    })
  }

  private report (time: number, messages: SourceMessage[]): void {
    const trading = this.random.pick(this.tradings)
    const { news, jump } = headline(trading.listing, this.random, new Date(time).toISOString())
    trading.jump(jump)
    messages.push({ channel: 'news', data: news })
  }

  /** An instrument is listed, or one goes to another market or sector. */
  private change (): Instrument {
    const listing = this.later.shift()
    if (listing !== undefined && this.random.chance(0.5)) {
      this.list(listing)
      return this.known.get(listing.symbol)!
    }
    if (listing !== undefined) this.later.unshift(listing)
    const move = moves[this.moved++ % moves.length]!
    const home = listings.find(({ symbol }) => symbol === move.symbol)!
    const now = this.known.get(move.symbol)!
    const { symbol, market, sector, name } = home
    const away = { market, sector, name, ...move }
    const next = now.market === away.market && now.sector === away.sector ? { symbol, market, sector, name } : away
    this.known.set(symbol, next)
    return next
  }
}
