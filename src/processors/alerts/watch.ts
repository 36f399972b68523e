import { type AlertRule, instantMs } from '@tickwire/protocol'
import { add, subtract } from './exact.js'

/**
 * - `new`: the first value that it sees decides whether it is armed;
 * - `waiting`: the value must first go back, by the hysteresis;
 * - `armed`: it alerts when the value reaches its level;
 * - `gone`: it was removed, or has expired.
 */
export type Status = 'new' | 'waiting' | 'armed' | 'gone'

/** What the journal keeps of a rule: its version, whether it is armed, until when it rests, its alerts. */
export type Kept = readonly [version: number, armed: 0 | 1, restsUntil: number, alerts: number]

/** A rule that is watched. */
export class Watch {
  status: Status = 'new'
  /** No value arms it before this time, in milliseconds since 1970. */
  restsUntil = 0
  /** How often it has alerted. */
  alerts = 0
  readonly isAbove: boolean
  /** It alerts at this value, or beyond it. */
  readonly level: string
  /** Only a value on this side of it arms the rule again. */
  readonly rearmLevel: string
  /** Messages that the log took before it do not concern the rule. */
  readonly since: number
  private readonly expiresAt: number
  private readonly restMs: number

  constructor (readonly user: string, readonly rule: AlertRule, kept: Kept | undefined) {
    const { above, below, hysteresis = '0' } = rule
    this.isAbove = above !== undefined
    this.level = above ?? below!
    this.rearmLevel = this.isAbove ? subtract(this.level, hysteresis) : add(this.level, hysteresis)
    this.since = instantMs(rule.updated_at)
    this.expiresAt = rule.expires_at === undefined ? Infinity : instantMs(rule.expires_at)
    this.restMs = (rule.cooldown_seconds ?? 0) * 1000
    if (kept === undefined) return
    const [version, armed, restsUntil, alerts] = kept
    this.alerts = alerts
    if (version !== rule.version) return
    this.status = armed === 1 ? 'armed' : 'waiting'
    this.restsUntil = restsUntil
  }

  hasExpired (time: number): boolean {
    return time >= this.expiresAt
  }

  alert (time: number): void {
    this.alerts++
    this.status = 'waiting'
    this.restsUntil = this.restMs === 0 ? 0 : time + this.restMs
  }

  get kept (): Kept {
    return [this.rule.version, this.status === 'armed' ? 1 : 0, this.restsUntil, this.alerts]
  }
}
