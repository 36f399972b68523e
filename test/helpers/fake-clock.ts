import { setImmediate } from 'node:timers/promises'
import type { Cancel, Clock } from '../../src/sources/live/clock.js'

/** A clock that a test sets forward. */
export class FakeClock implements Clock {
  private at = 0
  private readonly timers = new Set<{ readonly due: number, readonly work: () => void }>()

  now (): number {
    return this.at
  }

  time (): number {
    return Date.UTC(2026, 0, 1) + this.at
  }

  after (milliseconds: number, work: () => void): Cancel {
    const timer = { due: this.at + Math.max(0, milliseconds), work }
    this.timers.add(timer)
    return () => { this.timers.delete(timer) }
  }

  /** How many timers run. */
  get size (): number {
    return this.timers.size
  }

  /** Lets time pass: each timer is called when it is due, and what it begins is let happen. */
  async advance (milliseconds: number): Promise<void> {
    const end = this.at + milliseconds
    await setImmediate()
    for (;;) {
      const [first] = [...this.timers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)
      if (first === undefined) break
      this.at = first.due
      this.timers.delete(first)
      first.work()
      await setImmediate()
    }
    this.at = end
    await setImmediate()
  }
}
