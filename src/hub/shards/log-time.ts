import { performance } from 'node:perf_hooks'

/** For how long the fastest delivery counts: clocks drift apart by far less than a message takes in that time. */
const WINDOW_MS = 60_000

/**
 * What time it is in one shard of the log, as a node can tell from what it hears of it: the node's own clock may be minutes off.
 * The message that came fastest lately tells by how much the log's time is ahead; what it took on its way is the error.
 */
export class LogTime {
  /** By how much the log's time was ahead of ours at least: in this window, and in the one before. */
  private ahead = -Infinity
  private aheadBefore = -Infinity
  private windowEnds = -Infinity

  /** @param clock milliseconds of a clock that nobody sets */
  constructor (private readonly clock: () => number = () => performance.now()) {}

  /** A message was heard that the log accepted at that time. */
  hear (timestamp: number): void {
    const now = this.clock()
    if (now >= this.windowEnds) {
      this.aheadBefore = this.ahead
      this.ahead = -Infinity
      this.windowEnds = now + WINDOW_MS
    }
    this.ahead = Math.max(this.ahead, timestamp - now)
  }

  /** Milliseconds since 1970; -Infinity before anything was heard: nothing is old then. */
  now (): number {
    return this.clock() + Math.max(this.ahead, this.aheadBefore)
  }
}
