/**
 * The clock of a topic: its newest event time, plus the log's time since that trade came (PROTOCOL.md, Bars).
 * So a recording of an old session makes the bars that the session made.
 */
export class EventClock {
  /** The newest event time, in milliseconds since 1970; -Infinity before the first trade. */
  newest = -Infinity
  private cameAt = 0

  /** @param loggedAt when the log accepted the trade, in milliseconds since 1970 */
  advance (ms: number, loggedAt: number): void {
    if (ms <= this.newest) return
    this.newest = ms
    this.cameAt = loggedAt
  }

  /** @param now the log's time */
  read (now: number): number {
    return this.newest + Math.max(0, now - this.cameAt)
  }
}
