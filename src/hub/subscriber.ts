import type { ResetReason } from '@tickwire/protocol'
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
  /**
   * Of topics without a state: `reset`, and what the log still holds of them, which may be long. It is sent nothing more as it
   * comes, but caught up from where it stands.
   */
  owe (topics: Iterable<string>, reason: ResetReason): void
  /**
   * What was lost has been dealt with: states were delivered, or are owed.
   * @param newEpoch whether the log began one
   */
  restated (newEpoch: boolean): void
}

/** Ends a window for those who were delivered something in it. */
export function flushAll (subscribers: Iterable<Subscriber>): void {
  const now = Date.now()
  for (const subscriber of subscribers) subscriber.flush(now)
}
