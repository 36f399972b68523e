import { type Clock, systemClock } from '../../src/sources/live/clock.js'

/** A wait that is longer is one that nobody would wait for in a test. */
const LONG_MS = 30_000
/** How many times faster than others long waits pass. */
const LONG_SPEED = 10

/** A clock that passes faster, and long waits faster still. */
export function fastClock (speed: number): Clock {
  const began = systemClock.time()
  const now = (): number => systemClock.now() * speed
  const first = now()
  return {
    now,
    time: () => began + now() - first,
    after: (milliseconds, work) =>
      systemClock.after(milliseconds / speed / (milliseconds > LONG_MS ? LONG_SPEED : 1), work)
  }
}
