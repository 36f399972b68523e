import type { ResetReason } from '@tickwire/protocol'
import type { Format } from './format.js'
import { type TopicBytes, Unencodable } from './topic-bytes.js'

/** A receiver of live messages: a connection, or a poll that waits. */
export interface Subscriber {
  readonly format: Format
  /** See `CursorMarks.lostTopics` of the protocol package. */
  readonly lostTopics: number | undefined
  /** The last window of which it has been sent everything, including throttled messages. The hub sets it. */
  settledAt: number
  /**
   * Takes messages of a topic, and keeps them until {@link flush}.
   * @returns whether they are the first of this window: then the hub must flush it
   */
  deliver (bytes: TopicBytes): boolean
  /**
   * Writes all that was delivered in this window at once.
   * @param now milliseconds since 1970
   */
  flush (now: number): void
  /**
   * Makes the reset of topics without a state pending, followed by their retained messages, which may be
   * many. The subscriber leaves live delivery, and catches up from its position.
   */
  requireReset (topics: Iterable<string>, reason: ResetReason): void
  /**
   * Notes that a message of a topic could not be made, and was not delivered: from now on no cursor may cover
   * it. After what was delivered, it gets `reset` (`history_lost`), and the state or the retained messages.
   */
  lose (topic: string): void
  /** Closes it with `internal`, because delivering to it failed; its client comes back with its cursor. */
  fail (error: unknown): void
  /**
   * Notes that topics have been restated after a loss: their states were delivered, or are pending.
   * @param newEpoch whether the log began a new epoch
   */
  restated (newEpoch: boolean): void
}

/** Ends a window for the subscribers that messages were delivered to. */
export function flushAll (subscribers: Iterable<Subscriber>): void {
  const now = Date.now()
  for (const subscriber of subscribers) {
    try {
      subscriber.flush(now)
    } catch (error) {
      failOne(subscriber, error)
    }
  }
}

/**
 * Calls {@link Subscriber.deliver}. If the topic cannot be encoded, or the subscriber fails, the others still
 * get their messages.
 */
export function deliverTo (subscriber: Subscriber, bytes: TopicBytes): boolean {
  try {
    return subscriber.deliver(bytes)
  } catch (error) {
    if (error instanceof Unencodable) loseFor([subscriber], bytes.topic)
    else failOne(subscriber, error)
    return false
  }
}

/** Calls {@link Subscriber.lose} of each subscriber. */
export function loseFor (subscribers: Iterable<Subscriber>, topic: string): void {
  forEachSubscriber(subscribers, subscriber => { subscriber.lose(topic) })
}

/** Calls a function for each subscriber. One that fails is closed; the others are called all the same. */
export function forEachSubscriber (
  subscribers: Iterable<Subscriber>, visit: (subscriber: Subscriber) => void
): void {
  for (const subscriber of subscribers) {
    try {
      visit(subscriber)
    } catch (error) {
      failOne(subscriber, error)
    }
  }
}

function failOne (subscriber: Subscriber, error: unknown): void {
  try {
    subscriber.fail(error)
  } catch {
    // The first error has been reported; that closing failed, too, changes nothing for the others.
  }
}
