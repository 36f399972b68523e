import type { Random } from './random.js'

const DAY_MS = 86_400_000
/** The pace of a drift while its venue is closed: the part of that time that counts for prices. */
export const NIGHT_PACE = 0.1
/**
 * A price returns half of its way within about two days of the market's clock, so that weeks later there is
 * still a market.
 */
const REVERSION_MS = 3 * DAY_MS

/**
 * The logarithm of volatility has a fast and a slow part, each with a memory of its own. So volatility
 * clusters.
 */
const FAST = { deviation: 0.5, memoryMs: 3 * 60_000 }
const SLOW = { deviation: 0.55, memoryMs: 60 * 60_000 }
/** Keeps the mean square of the volatility at 1. */
const LEVEL = FAST.deviation ** 2 + SLOW.deviation ** 2
/** What news adds to the fast part. */
const EXCITEMENT = 0.6

/**
 * The logarithm of a price, which wanders about 0, now calmly, now wildly: of a whole market, a sector, or an
 * instrument.
 */
export class Drift {
  value = 0
  private fast: number
  private slow: number

  /**
   * @param dailyVolatility standard deviation of the return over 24 hours of the market's clock
   * @param time when it begins, in milliseconds of the market's clock
   */
  constructor (
    private readonly random: Random, private readonly dailyVolatility: number, private time: number
  ) {
    this.fast = FAST.deviation * random.normal()
    this.slow = SLOW.deviation * random.normal()
  }

  /** How wild the price is, 1 on average. */
  get volatility (): number {
    return Math.exp(this.fast + this.slow - LEVEL)
  }

  /** @param pace which part of the time that passed counts: little happens in the night */
  advance (time: number, pace = 1): void {
    const passed = Math.max(0, time - this.time) * pace
    this.time = time
    if (passed === 0) return
    this.fast = remembered(this.fast, FAST, passed, this.random)
    this.slow = remembered(this.slow, SLOW, passed, this.random)
    const returned = Math.exp(-passed / REVERSION_MS)
    const days = Math.min(passed, REVERSION_MS) / DAY_MS
    this.value = this.value * returned +
      this.dailyVolatility * this.volatility * Math.sqrt(days) * this.random.normal()
  }

  /** @param size a return that comes all at once, as from news */
  shock (size: number): void {
    this.value += size
    this.fast += EXCITEMENT
  }
}

/** Draws a value back to 0; it keeps its standard deviation, however long the step is. */
function remembered (
  value: number,
  { deviation, memoryMs }: { readonly deviation: number, readonly memoryMs: number },
  passed: number,
  random: Random
): number {
  const kept = Math.exp(-passed / memoryMs)
  return value * kept + deviation * Math.sqrt(1 - kept ** 2) * random.normal()
}
