/** Ends a wait; nothing happens if it is over already. */
export type Cancel = () => void

/** Time, as a feed needs it. Tests put their own in its place. */
export interface Clock {
  /** Milliseconds that only grow, for durations. */
  now (): number
  /** Milliseconds since 1970, with fractions: when something happened, for people. */
  time (): number
  /** Calls back after some milliseconds. */
  after (milliseconds: number, work: () => void): Cancel
}

/** Beyond this, the system's clock was set, and `time` follows it. */
const MAX_DRIFT_MS = 20

let origin = performance.timeOrigin

export const systemClock: Clock = {
  now: () => performance.now(),
  time () {
    const now = performance.now()
    const system = Date.now()
    if (Math.abs(system - origin - now) > MAX_DRIFT_MS) origin = system - now
    return origin + now
  },
  after (milliseconds, work) {
    const timer = setTimeout(work, milliseconds)
    return () => { clearTimeout(timer) }
  }
}
