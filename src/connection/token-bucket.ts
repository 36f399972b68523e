/** Of a token. In whole parts it is exact: a token comes a second divided by the rate after the last, to the millisecond. */
const PARTS = 1000

/** A limit on how often something may be done, with a reserve for bursts: tokens that come at a rate, up to a bound. */
export class TokenBucket {
  private parts: number

  /**
   * Full at first.
   * @param perSecond a whole number
   * @param countedAt now: whole milliseconds, of any clock
   */
  constructor (private readonly perSecond: number, private readonly burst: number, private countedAt: number) {
    this.parts = burst * PARTS
  }

  /** Takes a token. @returns 0, or where there is none the whole milliseconds until there will be one */
  take (now: number): number {
    // A clock that is set back gives no tokens, and takes none.
    this.parts = Math.min(this.burst * PARTS, this.parts + Math.max(0, now - this.countedAt) * this.perSecond)
    this.countedAt = now
    if (this.parts < PARTS) return Math.ceil((PARTS - this.parts) / this.perSecond)
    this.parts -= PARTS
    return 0
  }
}
