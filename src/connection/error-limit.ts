/** Within which faults of a client are counted together. */
const WINDOW_MS = 60_000

/** How often a client did something lately that it should not (PROTOCOL.md, Errors and closing; Limits). */
export class ErrorLimit {
  /** Milliseconds since 1970. */
  private times: number[] = []

  /** @param most the one that is one too many */
  constructor (private readonly most: number) {}

  /** Notes one. @returns whether it is one too many within a minute */
  add (now: number): boolean {
    this.times = this.times.filter(time => time > now - WINDOW_MS)
    return this.times.push(now) >= this.most
  }
}
