const DAY_MS = 86_400_000
/** Orders are collected before the opening. */
const PRE_OPEN_MS = 30 * 60_000

/** Hours of a venue, in milliseconds after midnight in its zone. */
export interface Hours {
  readonly zone: string
  readonly opens: number
  readonly closes: number
}

/**
 * The days on which a venue's hours hold:
 * - `weekdays`: as they are; there are no holidays;
 * - `every`: on Saturday and Sunday as well;
 * - `never`: it is always open, and a new day begins when it would open.
 */
export type Days = 'weekdays' | 'every' | 'never'

/** What the clock says of a venue, from a moment up to, not including, another. */
export interface Phase {
  readonly status: 'pre_open' | 'open' | 'closed'
  /** Of the session, counted from 1970 in the venue's zone. */
  readonly day: number
  readonly from: number
  readonly until: number
}

/** When a venue opens and closes. Times are milliseconds since 1970, of the market's own clock. */
export class Schedule {
  private readonly format: Intl.DateTimeFormat

  constructor (private readonly hours: Hours, private readonly days: Days) {
    this.format = new Intl.DateTimeFormat('en-US', {
      timeZone: hours.zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric'
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

  /** The last time of day at which the venue opens that is not after `time`, whatever day of the week it is. */
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
    // No venue opens or closes in the hour that a change of summer time skips or repeats: the second look is right.
    return local - this.offset(local - this.offset(local))
  }

  /** What the venue's clocks are ahead of UTC by. */
  private offset (time: number): number {
    const parts = new Map(this.format.formatToParts(time).map(({ type, value }) => [type, Number(value)]))
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type)!
    const local = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
    return local - Math.floor(time / 1000) * 1000
  }
}
