const DAY_MS = 86_400_000
/** How long before the opening a venue collects orders. */
const PRE_OPEN_MS = 30 * 60_000

/** Hours of a venue, in milliseconds after midnight in its zone. */
export interface Hours {
  readonly zone: string
  readonly opens: number
  readonly closes: number
}

/**
 * The days on which a venue's hours hold:
 * - `weekdays`: Monday to Friday; there are no holidays;
 * - `every`: every day of the week;
 * - `never`: the venue is always open, and a new day begins when it would open.
 */
export type Days = 'weekdays' | 'every' | 'never'

/** The state of a venue by its hours, from a moment up to another one, which is not included. */
export interface Phase {
  readonly status: 'pre_open' | 'open' | 'closed'
  /** The day of the session, counted from 1970 in the venue's zone. */
  readonly day: number
  readonly from: number
  readonly until: number
}

/** When a venue opens and closes. Times are milliseconds since 1970, by the market's own clock. */
export class Schedule {
  private readonly format: Intl.DateTimeFormat

  constructor (private readonly hours: Hours, private readonly days: Days) {
    this.format = new Intl.DateTimeFormat('en-US', {
      timeZone: hours.zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric'
    })
  }

  phaseAt (time: number): Phase {
    const { opens, closes } = this.hours
    if (this.days === 'never') {
      const day = this.dayOfOpening(time)
      return { status: 'open', day, from: this.instant(day, opens), until: this.instant(day + 1, opens) }
    }
    const today = this.dayOf(time)
    if (!this.trades(today) || time >= this.instant(today, closes)) {
      let day = today + 1
      while (!this.trades(day)) day++
      return { status: 'closed', day, from: time, until: this.instant(day, opens) - PRE_OPEN_MS }
    }
    const opening = this.instant(today, opens)
    const preOpening = opening - PRE_OPEN_MS
    if (time < preOpening) return { status: 'closed', day: today, from: time, until: preOpening }
    if (time < opening) return { status: 'pre_open', day: today, from: preOpening, until: opening }
    return { status: 'open', day: today, from: opening, until: this.instant(today, closes) }
  }

  /** Returns the last opening by the time of day that is not after `time`, on any day of the week. */
  openingBefore (time: number): number {
    return this.instant(this.dayOfOpening(time), this.hours.opens)
  }

  private dayOfOpening (time: number): number {
    const today = this.dayOf(time)
    return time < this.instant(today, this.hours.opens) ? today - 1 : today
  }

  private trades (day: number): boolean {
    // 1970 began on a Thursday.
    const weekday = (day + 4) % 7
    return this.days === 'every' || (weekday !== 0 && weekday !== 6)
  }

  private dayOf (time: number): number {
    return Math.floor((time + this.offset(time)) / DAY_MS)
  }

  private instant (day: number, sinceMidnight: number): number {
    const local = day * DAY_MS + sinceMidnight
    // No venue opens or closes in the hour that a change of summer time skips or repeats, so the second
    // offset is right.
    return local - this.offset(local - this.offset(local))
  }

  /** Returns by how much the venue's clocks are ahead of UTC. */
  private offset (time: number): number {
    const parts = new Map(this.format.formatToParts(time).map(({ type, value }) => [type, Number(value)]))
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type)!
    const day = [part('year'), part('month') - 1, part('day')] as const
    const local = Date.UTC(...day, part('hour'), part('minute'), part('second'))
    return local - Math.floor(time / 1000) * 1000
  }
}
