/** PROTOCOL.md, History: how long a client may read nothing of its answer. */
const PATIENCE_MS = 30_000
/** The speed of the worst line on which somebody may still want to be served. */
export const LEAST_BYTES_PER_SECOND = 4096

/** What one look at an answer finds. */
export interface Look {
  /** In milliseconds, of a clock that never goes back. */
  readonly now: number
  /** How many bytes the client has taken until now. */
  readonly taken: number
  /** Whether there is more that it could take. */
  readonly isUnread: boolean
}

/**
 * Watches how fast a client reads an answer of unknown length. Time in which it has something to read uses up
 * its credit, and what it reads earns credit, but never more than the patience: a client that has read fast
 * cannot hold the answer for long afterwards. While the server itself is slow, nothing is used up.
 */
export class ReadingPace {
  private credit = PATIENCE_MS
  private last: Look

  constructor (now: number) {
    this.last = { now, taken: 0, isUnread: false }
  }

  /** Notes a look. @returns whether the client reads too slowly */
  isTooSlow (look: Look): boolean {
    const earned = Math.max(0, look.taken - this.last.taken) / LEAST_BYTES_PER_SECOND * 1000
    const used = look.isUnread ? look.now - this.last.now : 0
    this.last = look
    this.credit = Math.min(PATIENCE_MS, this.credit + earned - used)
    return this.credit < 0
  }
}
