/** The broker is away once so many attempts have failed one after another. */
const AWAY_AFTER = 3

/** Whether the broker can be reached, by what becomes of attempts. */
export class Reachability {
  private failures = 0
  private hasSucceeded = false

  /**
   * @param isAway as the journal has it, which may not have the last news yet
   * @param onChange called when the broker has gone, with the last error, and when it has come back
   * @param onFirst called at the first success, if the broker is not away as far as the journal knows
   */
  constructor (
    private isAway: boolean,
    private readonly onChange: (isAway: boolean, error?: unknown) => void,
    private readonly onFirst: () => void
  ) {}

  fail (error: unknown): void {
    if (++this.failures < AWAY_AFTER || this.isAway) return
    this.isAway = true
    this.onChange(true, error)
  }

  succeed (): void {
    this.failures = 0
    const isFirst = !this.hasSucceeded
    this.hasSucceeded = true
    if (!this.isAway) {
      if (isFirst) this.onFirst()
      return
    }
    this.isAway = false
    this.onChange(false)
  }
}
