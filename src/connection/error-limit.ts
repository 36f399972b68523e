/** Faults of a client count together if they happen within this time. */
const WINDOW_MS = 60_000

/**
 * Counts how often a client recently did something that it must not do (PROTOCOL.md, Errors and closing;
 * Limits).
 */
export class ErrorLimit {
  /** Milliseconds since 1970. */
  private times: number[] = []

  /** @param most how many faults within the window close the connection */
  constructor (private readonly most: number) {}

  /** Notes one fault. Returns whether it brings the count of the last minute up to the limit. */
  add (now: number): boolean {
    this.times = this.times.filter(time => time > now - WINDOW_MS)
    return this.times.push(now) >= this.most
  }
}
