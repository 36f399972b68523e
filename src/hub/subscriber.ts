import type { ResetReason } from '@tickwire/protocol'
import type { Format } from './format.js'
import { type TopicBytes, Unencodable } from './topic-bytes.js'

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
  requireReset (topics: Iterable<string>, reason: ResetReason): void
  /**
   * Something of a topic could not be made, and was not delivered: from here on no cursor may say that it was. Behind what was
   * delivered it is sent `reset` (`history_lost`), and the state or what the log still holds.
   */
  lose (topic: string): void
  /** Delivering to it failed: it is closed with `internal`, and comes back with its cursor. */
  fail (error: unknown): void
  /**
   * What was lost has been dealt with: states were delivered, or are owed.
   * @param newEpoch whether the log began one
   */
  restated (newEpoch: boolean): void
}

/** Ends a window for those who were delivered something in it. */
export function flushAll (subscribers: Iterable<Subscriber>): void {
  const now = Date.now()
  for (const subscriber of subscribers) {
    try {
      subscriber.flush(now)
    } catch (error) {
      endOne(subscriber, error)
    }
  }
}

/** {@link Subscriber.deliver}, where neither a topic that cannot be encoded nor a subscriber that fails keeps anything from the others. */
export function deliverTo (subscriber: Subscriber, bytes: TopicBytes): boolean {
  try {
    return subscriber.deliver(bytes)
  } catch (error) {
    if (error instanceof Unencodable) loseFor([subscriber], bytes.topic)
    else endOne(subscriber, error)
    return false
  }
}

/** {@link Subscriber.lose}, for each of them. */
export function loseFor (subscribers: Iterable<Subscriber>, topic: string): void {
  forEachSubscriber(subscribers, subscriber => { subscriber.lose(topic) })
}

/** Calls each; one that fails is closed, and the others are called all the same. */
export function forEachSubscriber (subscribers: Iterable<Subscriber>, tell: (subscriber: Subscriber) => void): void {
  for (const subscriber of subscribers) {
    try {
      tell(subscriber)
    } catch (error) {
      endOne(subscriber, error)
    }
  }
}

function endOne (subscriber: Subscriber, error: unknown): void {
  try {
    subscriber.fail(error)
  } catch {
    // It has said why it failed; that it could not even be closed changes nothing for the others.
  }
}
