import type { Format } from './frame.js'
import type { TopicBytes } from './topic-bytes.js'

/** What the hub delivers to: a connection, or a poll that waits. */
export interface Subscriber {
  readonly format: Format
  /** See `CursorMarks.lostTopics` of the protocol package. */
  readonly lostTopics: number | undefined
  /** The last window of which it has been sent everything, also what is throttled: kept by the hub. */
  settledAt: number
  /** What it is sent of a topic in this window; kept until {@link flush}. @returns whether it is the first: it must be flushed */
  deliver (bytes: TopicBytes): boolean
  /** The window is complete: write what was delivered, in one go. @param now milliseconds since 1970 */
  flush (now: number): void
  /** The log began a new epoch, and the resets that it causes for live topics were delivered. */
  epochChanged (): void
}

/** Ends a window for those who were delivered something in it. */
export function flushAll (subscribers: Iterable<Subscriber>): void {
  const now = Date.now()
  for (const subscriber of subscribers) subscriber.flush(now)
}
