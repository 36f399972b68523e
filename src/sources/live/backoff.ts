/**
 * Waits that double, each a random part of itself: many servers that lost the same venue in the same moment
 * come back spread out.
 */
export class Backoff {
  private failures = 0

  /**
   * @param random returns a number from 0 to below 1
   * @param firstMs the longest first wait
   * @param longestMs the longest of all
   */
  constructor (
    private readonly random: () => number,
    private readonly firstMs: number,
    private readonly longestMs: number
  ) {}

  /** Returns for how many milliseconds to wait now. */
  next (): number {
    const longest = Math.min(this.longestMs, this.firstMs * 2 ** this.failures)
    if (longest < this.longestMs) this.failures++
    return this.random() * longest
  }

  reset (): void {
    this.failures = 0
  }
}
