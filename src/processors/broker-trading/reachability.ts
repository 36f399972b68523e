/** The broker is away once so many attempts have failed one after another. */
const AWAY_AFTER = 3

/** Whether the broker can be reached, by what becomes of attempts. */
export class Reachability {
  private failures = 0

  /**
   * @param isAway as the journal has it
   * @param onChange called when the broker has gone, with the last error, and when it has come back
   */
  constructor (
    private isAway: boolean,
    private readonly onChange: (isAway: boolean, error?: unknown) => void
  ) {}

  fail (error: unknown): void {
    if (++this.failures < AWAY_AFTER || this.isAway) return
    this.isAway = true
    this.onChange(true, error)
  }

  succeed (): void {
    this.failures = 0
    if (!this.isAway) return
    this.isAway = false
    this.onChange(false)
  }
}
