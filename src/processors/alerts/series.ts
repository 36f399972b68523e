import { compareDecimals } from '@tickwire/protocol'
import { Levels } from './levels.js'
import type { Watch } from './watch.js'

/** A value of a series, as rules compare it with their levels. */
export interface Observed {
  /** Returns a negative number if a level is below the value, and a positive one if it is above. */
  compare (level: string): number
  /** Returns the value as a decimal. */
  text (): string
}

/** A value that comes as a decimal. */
export class Decimal implements Observed {
  value = '0'

  compare (level: string): number {
    return compareDecimals(level, this.value)
  }

  text (): string {
    return this.value
  }
}

/** What a message means to rules. */
export interface Outcome {
  /** Rules that were armed, or have begun to wait. */
  readonly changed: Watch[]
  readonly alerted: Array<{ readonly watch: Watch, readonly value: string }>
}

/**
 * The rules of one series of values. A value touches only the rules whose levels it crosses: armed rules are
 * sorted by the level at which they alert, waiting rules by the level that arms them again.
 */
export class Series {
  /** Rules that have seen no value. */
  private readonly fresh = new Set<Watch>()
  private readonly armed = { above: new Levels<Watch>(true), below: new Levels<Watch>(false) }
  private readonly waiting = { above: new Levels<Watch>(false), below: new Levels<Watch>(true) }
  /** Rules that rest, the one that rests longest first. */
  private readonly resting: Watch[] = []

  get size (): number {
    const { fresh, armed, waiting, resting } = this
    return fresh.size + armed.above.size + armed.below.size + waiting.above.size + waiting.below.size +
      resting.length
  }

  add (watch: Watch): void {
    const { isAbove, level, rearmLevel, restsUntil } = watch
    const side = isAbove ? 'above' : 'below'
    if (watch.status === 'new') this.fresh.add(watch)
    else if (watch.status === 'armed') this.armed[side].add(level, watch)
    else if (restsUntil > 0) this.rest(watch)
    else this.waiting[side].add(rearmLevel, watch)
  }

  remove (watch: Watch): void {
    const side = watch.isAbove ? 'above' : 'below'
    if (watch.status === 'new') this.fresh.delete(watch)
    else if (watch.status === 'armed') this.armed[side].remove(watch.level, watch)
    else if (this.resting.includes(watch)) this.resting.splice(this.resting.indexOf(watch), 1)
    else this.waiting[side].remove(watch.rearmLevel, watch)
    watch.status = 'gone'
  }

  /**
   * Judges a value that came at a time.
   * @param up what rules with `above` compare with
   * @param down what rules with `below` compare with
   */
  observe (up: Observed, down: Observed, time: number, outcome: Outcome): void {
    while (this.resting.length > 0 && this.resting.at(-1)!.restsUntil <= time) {
      const watch = this.resting.pop()!
      watch.restsUntil = 0
      this.waiting[watch.isAbove ? 'above' : 'below'].add(watch.rearmLevel, watch)
    }
    const { armed, waiting } = this
    while (isShortOf(waiting.above.nextLevel, up, 1)) this.arm(waiting.above.takeNext(), time, outcome)
    while (isShortOf(waiting.below.nextLevel, down, -1)) this.arm(waiting.below.takeNext(), time, outcome)
    while (isReached(armed.above.nextLevel, up, 1)) this.alert(armed.above.takeNext(), up, time, outcome)
    while (isReached(armed.below.nextLevel, down, -1)) this.alert(armed.below.takeNext(), down, time, outcome)
    if (this.fresh.size > 0) this.begin(up, down, time, outcome)
  }

  private begin (up: Observed, down: Observed, time: number, outcome: Outcome): void {
    for (const watch of this.fresh) {
      if (watch.since > time) continue
      this.fresh.delete(watch)
      if (this.drop(watch, time)) continue
      // A rule alerts at a crossing. If the value is beyond its level already, it must first come back.
      const isOver = watch.isAbove ? isReached(watch.level, up, 1) : isReached(watch.level, down, -1)
      watch.status = isOver ? 'waiting' : 'armed'
      outcome.changed.push(watch)
      this.add(watch)
    }
  }

  private arm (watch: Watch, time: number, outcome: Outcome): void {
    if (this.drop(watch, time)) return
    watch.status = 'armed'
    outcome.changed.push(watch)
    this.add(watch)
  }

  private alert (watch: Watch, value: Observed, time: number, outcome: Outcome): void {
    if (this.drop(watch, time)) return
    watch.alert(time)
    outcome.changed.push(watch)
    outcome.alerted.push({ watch, value: value.text() })
    this.add(watch)
  }

  private drop (watch: Watch, time: number): boolean {
    if (!watch.hasExpired(time)) return false
    watch.status = 'gone'
    return true
  }

  private rest (watch: Watch): void {
    let at = this.resting.length
    while (at > 0 && this.resting[at - 1]!.restsUntil < watch.restsUntil) at--
    this.resting.splice(at, 0, watch)
  }
}

/** Whether a value has reached a level, coming from below (1) or from above (-1). */
const isReached = (level: string | undefined, value: Observed, from: 1 | -1): boolean =>
  level !== undefined && value.compare(level) * from <= 0

/** Whether a value is short of a level, below (1) or above (-1) it. */
const isShortOf = (level: string | undefined, value: Observed, from: 1 | -1): boolean =>
  level !== undefined && value.compare(level) * from > 0
