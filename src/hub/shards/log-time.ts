import { performance } from 'node:perf_hooks'

/** How long the fastest delivery counts: clocks drift apart meanwhile by far less than a message takes. */
const WINDOW_MS = 60_000

/**
 * The time of one shard of the log, estimated from the messages that the node receives: the node's own clock
 * may be minutes off. The message that arrived fastest lately says how far the log's clock is ahead. The
 * error of the estimate is the time that this message took.
 */
export class LogTime {
  /** How many milliseconds the log's clock is ahead of ours at least, by the messages of this window. */
  private ahead = -Infinity
  /** The same, by those of the window before. */
  private aheadBefore = -Infinity
  private windowEnds = -Infinity

  /** @param clock milliseconds of a monotonic clock */
  constructor (private readonly clock: () => number = () => performance.now()) {}

  /**
   * Notes that a message has just arrived.
   * @param timestamp when the log accepted it, in milliseconds since 1970
   */
  hear (timestamp: number): void {
    const now = this.clock()
    if (now >= this.windowEnds) {
      this.aheadBefore = this.ahead
      this.ahead = -Infinity
      this.windowEnds = now + WINDOW_MS
    }
    this.ahead = Math.max(this.ahead, timestamp - now)
  }

  /** Returns milliseconds since 1970; -Infinity before the first message, so that nothing counts as old. */
  now (): number {
    return this.clock() + Math.max(this.ahead, this.aheadBefore)
  }
}
