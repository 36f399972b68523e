import type { MarketStatus } from '@tickwire/protocol'
import type { SourceMessage } from '../source.js'
import { Drift, NIGHT_PACE } from './drift.js'
import { type Days, type Hours, type Phase, Schedule } from './hours.js'
import { Random } from './random.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Share of sessions with one interruption. */
const HALT_SHARE = 0.4
const HALT_MINUTES = { shortest: 5, longest: 20 }
/** The same for a venue that has hours but never closes, because the market was told so. */
const SHORT_HALT_SECONDS = { shortest: 20, longest: 90 }

/** The rules of a venue. Its markets open, halt and close together. */
export interface VenueRules {
  readonly name: string
  readonly markets: readonly string[]
  readonly hours: Hours
  readonly alwaysOpen?: boolean
  /** Standard deviation of the whole venue's daily return. */
  readonly dailyVolatility: number
  /**
   * How much livelier the start and the end of a session are than the hours between, as a multiple of an
   * ordinary moment.
   */
  readonly swing: number
}

export const krx: VenueRules = {
  name: 'KRX',
  markets: ['KOSPI', 'KOSDAQ'],
  hours: { zone: 'Asia/Seoul', opens: 9 * HOUR_MS, closes: 15.5 * HOUR_MS },
  dailyVolatility: 0.018,
  swing: 1.8
}

export const venueRules: readonly VenueRules[] = [
  krx,
  {
    name: 'US',
    markets: ['NASDAQ', 'NYSE'],
    hours: { zone: 'America/New_York', opens: 9.5 * HOUR_MS, closes: 16 * HOUR_MS },
    dailyVolatility: 0.016,
    swing: 1.8
  },
  {
    name: 'CRYPTO',
    markets: ['CRYPTO'],
    hours: { zone: 'UTC', opens: 0, closes: 24 * HOUR_MS },
    alwaysOpen: true,
    dailyVolatility: 0.03,
    swing: 0.5
  },
  {
    name: 'FX',
    markets: ['FX'],
    hours: { zone: 'UTC', opens: 0, closes: 24 * HOUR_MS },
    alwaysOpen: true,
    dailyVolatility: 0.002,
    swing: 0.3
  }
]

type Status = Exclude<MarketStatus['status'], 'stale'>

/** A venue's state: `closed`, `pre_open`, `open` or `halted`, by its schedule and its interruptions. */
export class Venue {
  /** The drift that all its instruments have in common. */
  readonly drift: Drift
  private readonly schedule: Schedule
  private readonly random: Random
  private readonly interrupted: boolean
  /** Draws the halts of a venue that would close but never does; undefined if it has none. */
  private readonly halts: Random | undefined
  private phase: Phase | undefined
  private halt: { readonly from: number, readonly until: number } | undefined
  private status: Status | undefined
  private changesAt = -Infinity

  /** @param haltEveryMs the average time between halts if the venue never closes although it has hours */
  constructor (
    private readonly rules: VenueRules, days: Days, seed: number, time: number,
    private readonly haltEveryMs: number
  ) {
    const ownDays = rules.alwaysOpen === true ? 'never' : days
    this.schedule = new Schedule(rules.hours, ownDays)
    this.interrupted = ownDays !== 'never'
    this.random = Random.of(seed, `venue ${rules.name}`)
    if (!this.interrupted && rules.alwaysOpen !== true) {
      this.halts = Random.of(seed, `halts ${rules.name}`)
    }
    this.drift = new Drift(Random.of(seed, `drift ${rules.name}`), rules.dailyVolatility, time)
  }

  get open (): boolean {
    return this.status === 'open'
  }

  /** The day of the current session, or of the next one. */
  get day (): number {
    return this.phase!.day
  }

  lists (market: string): boolean {
    return this.rules.markets.includes(market)
  }

  /**
   * Returns how lively trading is at a time of a session: busy at its start and its end, quiet at noon; 1 on
   * average.
   */
  activity (time: number): number {
    const { from, until } = this.phase!
    const fromNoon = 2 * (time - from) / (until - from) - 1
    return 1 + this.rules.swing * (fromNoon ** 2 - 1 / 3)
  }

  advanceDrift (time: number): void {
    this.drift.advance(time, this.open ? 1 : NIGHT_PACE)
  }

  /** Advances to a time. @returns the status of each of its markets, if it has changed */
  advance (time: number): SourceMessage[] {
    if (time < this.changesAt) return NOTHING
    if (this.phase === undefined || time >= this.phase.until) this.enter(this.schedule.phaseAt(time))
    const phase = this.phase!
    const hasPassed = this.halt === undefined || time >= this.halt.until
    if (this.halts !== undefined && hasPassed) this.halt = this.nextHalt(time, this.halts)
    const { halt } = this
    const halted = halt !== undefined && time >= halt.from && time < halt.until
    const ends = halted ? halt.until : phase.until
    this.changesAt = halt !== undefined && time < halt.from ? Math.min(halt.from, ends) : ends
    const status = halted ? 'halted' : phase.status
    if (status === this.status) return NOTHING
    this.status = status
    return this.rules.markets.map(market => ({
      channel: 'market',
      symbol: market,
      data: {
        market,
        status,
        ...(halted ? { reason: 'volatility interruption' } : {}),
        ...(halted || this.interrupted ? { until: new Date(ends).toISOString() } : {})
      } satisfies MarketStatus
    }))
  }

  /** Makes it send the status again at the next moment, because messages may be lost. */
  restate (): void {
    this.status = undefined
    this.changesAt = -Infinity
  }

  /** Adjusts to a clock that has jumped, perhaps back. */
  skipTo (time: number): void {
    if (this.phase !== undefined && time < this.phase.from) this.phase = this.halt = undefined
    this.changesAt = -Infinity
  }

  private enter (phase: Phase): void {
    this.phase = phase
    if (this.halts !== undefined) return
    this.halt = undefined
    if (phase.status !== 'open' || !this.interrupted || this.random.next() >= HALT_SHARE) return
    const lasts = this.random.integer(HALT_MINUTES.shortest, HALT_MINUTES.longest) * MINUTE_MS
    const from = phase.from + Math.floor((phase.until - phase.from - lasts) * this.random.next())
    this.halt = { from, until: from + lasts }
  }

  private nextHalt (time: number, random: Random): NonNullable<Venue['halt']> {
    const from = time + random.wait(this.haltEveryMs)
    const { shortest, longest } = SHORT_HALT_SECONDS
    return { from, until: from + random.integer(shortest, longest) * 1000 }
  }
}

const NOTHING: SourceMessage[] = []
