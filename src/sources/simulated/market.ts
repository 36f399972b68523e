import type { Instrument } from '@tickwire/protocol'
import type { SourceMessage } from '../source.js'
import { Drift } from './drift.js'
import { Schedule } from './hours.js'
import { describe, type Listing, listings, newcomers } from './instruments.js'
import { Membership } from './membership.js'
import { announceListing, writeHeadline } from './news.js'
import { Random } from './random.js'
import { Trading } from './trading.js'
import { krx, Venue, venueRules } from './venue.js'

/** Standard deviation of a whole sector's return over a day. */
const SECTOR_VOLATILITY = 0.012
/** The same for currencies, which move less. */
const CURRENCY_VOLATILITY = 0.001
/** The average time between headlines. */
const NEWS_EVERY_MS = 20_000
/** With hours that run faster, the first opening comes this long after the start. */
const OPENING_AFTER_MS = 5_000

/** Which hours the venues keep: see {@link MarketOptions.hours}. */
export type HoursOption = 'always' | 'real' | number

export interface MarketOptions {
  /** The same seed, clock and options make the same messages. */
  readonly seed: number
  /** Turns of each instrument in a second, and so its quotes while its market is open. */
  readonly rate: number
  /**
   * - `always`: all markets are open all the time;
   * - `real`: the venues keep their hours on weekdays, without holidays, by the wall clock;
   * - a number: the venues keep their hours on every day, by a market clock that runs this many times as fast
   *   as the wall clock, and begins just before the Korea Exchange opens. All times in messages are the
   *   market clock's.
   */
  readonly hours: HoursOption
  /**
   * The average time between changes of membership (an instrument is listed, or moves), in milliseconds of
   * the wall clock.
   */
  readonly membershipEveryMs: number
  /** The average time between halts of a venue that `always` keeps open, in milliseconds. */
  readonly haltEveryMs: number
}

/** What happened in a stretch of time. */
export interface Slice {
  /** Instruments that are new or have moved; they must be declared before the messages. */
  readonly declared: Instrument[]
  readonly messages: SourceMessage[]
}

/**
 * The market without a clock: its driver says which time it is. In each round every instrument has one turn.
 * The turns are spread evenly over the round, so that messages never come in bursts. Times are milliseconds
 * since 1970 by the wall clock; only messages, venues and prices go by the market's clock.
 */
export class SimulatedMarket {
  private readonly venues: readonly Venue[]
  private readonly sectors = new Map<string, Drift>()
  private readonly tradings: Trading[]
  private readonly membership: Membership
  private readonly newsRandom: Random
  private readonly membershipRandom: Random
  private readonly roundMs: number
  /** The time of the market's clock at `start`, and its speed. */
  private readonly marketStart: number
  private readonly speed: number
  private nextNews: number
  private nextMembership: number
  /** The time from which rounds count, so that rounding does not add up. */
  private origin: number
  private round = 0
  /** The index of the instrument whose turn is next. */
  private place = 0
  private reached: number

  /** @param start when it begins */
  constructor (private readonly options: MarketOptions, private readonly start: number) {
    const { seed, rate, hours, membershipEveryMs, haltEveryMs } = options
    this.roundMs = 1000 / rate
    this.speed = typeof hours === 'number' ? hours : 1
    const days = hours === 'always' ? 'never' : hours === 'real' ? 'weekdays' : 'every'
    this.marketStart = typeof hours === 'number'
      ? new Schedule(krx.hours, days).openingBefore(start) - OPENING_AFTER_MS * this.speed
      : start
    this.venues = venueRules.map(rules => new Venue(rules, days, seed, this.marketStart, haltEveryMs))
    this.tradings = listings.map(listing => this.trading(listing, this.marketStart))
    this.membership = new Membership(Random.of(seed, 'membership'))
    this.newsRandom = Random.of(seed, 'news')
    this.membershipRandom = Random.of(seed, 'membership times')
    this.nextNews = start + this.newsRandom.wait(NEWS_EVERY_MS)
    this.nextMembership = start + this.membershipRandom.wait(membershipEveryMs)
    this.origin = this.reached = start
  }

  /** The time up to which the market has advanced. */
  get time (): number {
    return this.reached
  }

  /** Returns the instruments as they are now. */
  instruments (): Instrument[] {
    return this.tradings.map(({ listing }) => describe(listing))
  }

  /** Advances the market up to a time, which is included. @returns what happened */
  advance (until: number): Slice {
    const slice: Slice = { declared: [], messages: [] }
    for (;;) {
      const time = this.origin + (this.round + this.place / this.tradings.length) * this.roundMs
      if (time > until) break
      const marketTime = this.marketTime(time)
      for (const venue of this.venues) slice.messages.push(...venue.advance(marketTime))
      if (this.place === 0) this.beginRound(time, marketTime, slice)
      slice.messages.push(...this.tradings[this.place]!.turn(marketTime))
      this.place++
      if (this.place === this.tradings.length) {
        this.place = 0
        this.round++
      }
    }
    this.reached = Math.max(this.reached, until)
    return slice
  }

  /** Goes on at another time, perhaps an earlier one, and leaves out what would have happened in between. */
  skipTo (time: number): void {
    // The next turn comes at once, so its round began before.
    this.origin = time - this.place / this.tradings.length * this.roundMs
    this.round = 0
    if (time < this.reached) {
      this.nextNews = time + this.newsRandom.wait(NEWS_EVERY_MS)
      this.nextMembership = time + this.membershipRandom.wait(this.options.membershipEveryMs)
    }
    this.reached = time
    for (const venue of this.venues) venue.skipTo(this.marketTime(time))
  }

  /**
   * Makes the market send all statuses and whole books again, as if they were new, because messages may be
   * lost.
   */
  restate (): void {
    for (const venue of this.venues) venue.restate()
    for (const trading of this.tradings) trading.restate()
  }

  /**
   * Adopts the markets and sectors of instruments as they are known: another server's market may have moved
   * them.
   * @param known returns an instrument; undefined if nobody knows it
   */
  adopt (known: (symbol: string) => Instrument | undefined): void {
    const time = this.marketTime(this.reached)
    for (const home of [...listings, ...newcomers]) {
      const instrument = known(home.symbol)
      if (instrument === undefined) continue
      const { market = home.market, sector = home.sector } = instrument
      const isKnown = this.venues.some(venue => venue.lists(market))
      const now: Listing = { ...home, sector, market: isKnown ? market : home.market }
      this.membership.settle(home, now)
      const trading = this.tradings.find(({ listing }) => listing.symbol === home.symbol)
      if (trading === undefined) this.tradings.push(this.trading(now, time))
      else trading.move(now, this.venueOf(now), this.sectorOf(now, time))
    }
  }

  private marketTime (time: number): number {
    return this.marketStart + (time - this.start) * this.speed
  }

  private beginRound (time: number, marketTime: number, slice: Slice): void {
    for (const venue of this.venues) venue.advanceDrift(marketTime)
    for (const sector of this.sectors.values()) sector.advance(marketTime)
    if (time >= this.nextNews) {
      this.nextNews = time + this.newsRandom.wait(NEWS_EVERY_MS)
      const listed = this.tradings.map(({ listing }) => listing).filter(isInTheNews)
      const { data, shock } = writeHeadline(listed, this.newsRandom, timestamp(marketTime))
      slice.messages.push({ channel: 'news', data })
      for (const trading of this.tradings) {
        const { symbol, follows = symbol } = trading.listing
        if (data.symbols.includes(follows)) trading.shock(shock)
      }
    }
    if (time >= this.nextMembership) {
      this.nextMembership = time + this.membershipRandom.wait(this.options.membershipEveryMs)
      this.changeMembership(marketTime, slice)
    }
  }

  private changeMembership (marketTime: number, slice: Slice): void {
    const { kind, listing } = this.membership.next(this.tradings.map(trading => trading.listing))
    slice.declared.push(describe(listing))
    if (kind === 'listed') {
      this.tradings.push(this.trading(listing, marketTime))
      slice.messages.push({ channel: 'news', data: announceListing(listing, timestamp(marketTime)) })
    } else {
      const moving = this.tradings.find(trading => trading.listing.symbol === listing.symbol)!
      moving.move(listing, this.venueOf(listing), this.sectorOf(listing, marketTime))
    }
  }

  private trading (listing: Listing, time: number): Trading {
    const shared = { venue: this.venueOf(listing), sector: this.sectorOf(listing, time) }
    return new Trading(listing, { ...shared, seed: this.options.seed, time })
  }

  private venueOf ({ market }: Listing): Venue {
    return this.venues.find(venue => venue.lists(market))!
  }

  private sectorOf ({ sector, market }: Listing, time: number): Drift {
    let drift = this.sectors.get(sector)
    if (drift === undefined) {
      const volatility = market === 'FX' ? CURRENCY_VOLATILITY : SECTOR_VOLATILITY
      drift = new Drift(Random.of(this.options.seed, `drift ${sector}`), volatility, time)
      this.sectors.set(sector, drift)
    }
    return drift
  }
}

/** Headlines are about companies and coins: each coin once, whatever it is traded against. */
const isInTheNews = ({ market, follows }: Listing): boolean => market !== 'FX' && follows === undefined

const timestamp = (time: number): string => new Date(time).toISOString()
