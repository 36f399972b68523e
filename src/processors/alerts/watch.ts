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

/** How long each rule rests after an alert, at the least: no rule may flood its user and the journal. */
const MIN_REST_MS = 1000

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

  /** @param at when the log accepted the message that has the rule */
  constructor (readonly user: string, readonly rule: AlertRule, kept: Kept | undefined, at: number) {
    const { above, below, hysteresis = '0' } = rule
    this.isAbove = above !== undefined
    this.level = above ?? below!
    this.rearmLevel = this.isAbove ? subtract(this.level, hysteresis) : add(this.level, hysteresis)
    // The clock of the server that took the rule may be ahead of the log's.
    this.since = Math.min(instantMs(rule.updated_at), at)
    this.expiresAt = rule.expires_at === undefined ? Infinity : instantMs(rule.expires_at)
    this.restMs = Math.max((rule.cooldown_seconds ?? 0) * 1000, MIN_REST_MS)
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
    this.restsUntil = time + this.restMs
  }

  get kept (): Kept {
    return [this.rule.version, this.status === 'armed' ? 1 : 0, this.restsUntil, this.alerts]
  }
}
