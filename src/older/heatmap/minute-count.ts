const SECONDS = 60

/** Counts what happened within the last minute, to the second. */
export class MinuteCount {
  private readonly counts = new Array<number>(SECONDS).fill(0)
  /** The second of the newest count, since 1970. */
  private newest = 0

  /** @param now returns milliseconds since 1970 */
  constructor (private readonly now: () => number = Date.now) {}

  add (count: number): void {
    const second = this.advance()
    this.counts[second % SECONDS]! += count
  }

  get total (): number {
    this.advance()
    return this.counts.reduce((sum, count) => sum + count, 0)
  }

  /** Clears the seconds that have begun since the last call. Returns the present one. */
  private advance (): number {
    const second = Math.max(this.newest, Math.floor(this.now() / 1000))
    const begun = Math.min(SECONDS, second - this.newest)
    for (let back = 0; back < begun; back++) this.counts[(second - back) % SECONDS] = 0
    this.newest = second
    return second
  }
}
