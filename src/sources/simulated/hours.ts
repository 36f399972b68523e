import type { MarketStatus } from '@tickwire/protocol'

const MINUTE = 60_000
const DAY_MINUTES = 24 * 60

/** When a market trades, in its own time; without holidays. */
interface Session {
  readonly zone: string
  /** Minutes of the day. */
  readonly preOpen: number
  readonly open: number
  readonly close: number
}

const krx: Session = { zone: 'Asia/Seoul', preOpen: 8.5 * 60, open: 9 * 60, close: 15.5 * 60 }
const us: Session = { zone: 'America/New_York', preOpen: 9 * 60, open: 9.5 * 60, close: 16 * 60 }

/** A market that is not here never closes. */
const sessions: Readonly<Record<string, Session>> = { KOSPI: krx, KOSDAQ: krx, NASDAQ: us, NYSE: us }

/**
 * - `always`: every market is open all the time;
 * - `real`: by the venues' hours;
 * - a number: by the venues' hours, with time running so many times as fast, beginning just before an opening.
 */
export type Hours = 'always' | 'real' | number

export interface Phase {
  readonly status: Extract<MarketStatus['status'], 'pre_open' | 'open' | 'closed'>
  /** When it ends, in milliseconds since 1970; undefined: never. */
  readonly until: number | undefined
}

/** How long before the first opening a market that runs faster begins. */
const LEAD_MS = 5 * MINUTE

/** The market's time as it follows from the time of the wall. */
export class MarketClock {
  private readonly began: number
  private readonly speed: number
  private readonly zones = new Map<string, LocalTime>()

  /** @param start when the simulation began, in milliseconds since 1970 */
  constructor (private readonly hours: Hours, private readonly start: number) {
    this.speed = typeof hours === 'number' ? hours : 1
    this.began = typeof hours === 'number' ? this.beforeOpening(start) : start
  }

  /** @param now of the wall, in milliseconds since 1970 */
  at (now: number): number {
    return Math.floor(this.began + (now - this.start) * this.speed)
  }

  /** @param time of the market */
  phase (market: string, time: number): Phase {
    const session = sessions[market]
    if (session === undefined || this.hours === 'always') return { status: 'open', until: undefined }
    const local = this.local(session.zone)
    const minute = local.minuteOfDay(time)
    const at = (boundary: number): number => Math.floor(time / MINUTE) * MINUTE + (boundary - Math.floor(minute)) * MINUTE
    if (local.isWeekend(time) || minute >= session.close) {
      let days = 1
      while (local.isWeekend(time + days * DAY_MINUTES * MINUTE)) days++
      return { status: 'closed', until: at(session.preOpen + days * DAY_MINUTES) }
    }
    if (minute < session.preOpen) return { status: 'closed', until: at(session.preOpen) }
    if (minute < session.open) return { status: 'pre_open', until: at(session.open) }
    return { status: 'open', until: at(session.close) }
  }

  /** How busy a market is at a time: most after the opening and before the close, about 1 on average. */
  bustle (market: string, time: number): number {
    const session = sessions[market]
    const minute = this.local(session?.zone ?? 'UTC').minuteOfDay(time)
    // What never closes is quietest in the early hours of New York; what never sleeps repeats its session.
    if (session === undefined) return 1 + 0.4 * Math.cos((minute / DAY_MINUTES - 0.66) * 2 * Math.PI)
    const length = session.close - session.open
    const through = (((minute - session.open) % length) + length) % length / length
    return 0.6 + 1.2 * (2 * through - 1) ** 2
  }

  private beforeOpening (time: number): number {
    const hour = Math.floor(time / (60 * MINUTE)) * 60 * MINUTE
    const { zone, open } = krx
    const local = this.local(zone)
    for (let candidate = hour; ; candidate += 60 * MINUTE) {
      if (!local.isWeekend(candidate) && local.minuteOfDay(candidate) === open) return candidate - LEAD_MS
    }
  }

  private local (zone: string): LocalTime {
    let local = this.zones.get(zone)
    if (local === undefined) this.zones.set(zone, local = new LocalTime(zone))
    return local
  }
}

/** The time of day in a zone; looked up once an hour, which is exact for zones of whole hours. */
class LocalTime {
  private readonly format: Intl.DateTimeFormat
  private hour = NaN
  private offset = 0

  constructor (zone: string) {
    this.format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric' })
  }

  minuteOfDay (time: number): number {
    return this.shifted(time) / MINUTE % DAY_MINUTES
  }

  isWeekend (time: number): boolean {
    return [0, 6].includes(new Date(this.shifted(time)).getUTCDay())
  }

  private shifted (time: number): number {
    const hour = Math.floor(time / (60 * MINUTE))
    if (hour !== this.hour) {
      const parts = Object.fromEntries(this.format.formatToParts(hour * 60 * MINUTE).map(({ type, value }) => [type, Number(value)]))
      this.offset = Date.UTC(parts['year']!, parts['month']! - 1, parts['day']!, parts['hour']!) - hour * 60 * MINUTE
      this.hour = hour
    }
    return time + this.offset
  }
}
