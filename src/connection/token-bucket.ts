/**
 * Parts of a token. Counting whole parts is exact: the next token comes a second divided by the rate after
 * the last one, to the millisecond.
 */
const PARTS = 1000

/** A limit on how often something may happen: tokens come at a constant rate, and a reserve allows bursts. */
export class TokenBucket {
  private parts: number

  /**
   * Starts with a full reserve.
   * @param perSecond tokens per second, a whole number
   * @param burst how many tokens the reserve holds
   * @param countedAt the present, in whole milliseconds of any clock
   */
  constructor (
    private readonly perSecond: number,
    private readonly burst: number,
    private countedAt: number
  ) {
    this.parts = burst * PARTS
  }

  /** Takes a token and returns 0; if there is none, returns the whole milliseconds until the next one. */
  take (now: number): number {
    // If the clock is set back, it neither gives nor takes tokens.
    const elapsedMs = Math.max(0, now - this.countedAt)
    this.parts = Math.min(this.burst * PARTS, this.parts + elapsedMs * this.perSecond)
    this.countedAt = now
    if (this.parts < PARTS) return Math.ceil((PARTS - this.parts) / this.perSecond)
    this.parts -= PARTS
    return 0
  }
}
