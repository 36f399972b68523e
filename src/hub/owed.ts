import type { ResetReason } from '@tickwire/protocol'

/** What comes before a topic's next messages: its state, or what the log still holds of it where it has none. */
export interface Owed {
  /** Of the reset before it; undefined where there is none. */
  readonly reason: ResetReason | undefined
  /** Of a topic without a state that has been reset: up to this offset it was given what the log holds. */
  readonly givenUpTo?: number
  /**
   * Whether the reset is for something that could not be passed on: the log has it, so that a cursor from before would be good, and
   * whoever is cut behind the reset would miss it. No cursor from before may be gone on from then.
   */
  readonly voids?: boolean
}

/** Pending resets with those of some topics more. One that voids cursors goes on doing so. */
export function withResets (due: ReadonlyMap<string, Owed>, topics: Iterable<string>, reason: ResetReason): ReadonlyMap<string, Owed> {
  const more = new Map(due)
  for (const topic of topics) more.set(topic, due.get(topic)?.voids === true ? LOST : { reason })
  return more
}

/** The same for a topic of which something could not be passed on. */
export function withLoss (due: ReadonlyMap<string, Owed>, topic: string): ReadonlyMap<string, Owed> {
  return new Map(due).set(topic, LOST)
}

/** Whether a cursor of now would cover something that could not be passed on. */
export function loses (due: ReadonlyMap<string, Owed>): boolean {
  for (const { voids } of due.values()) if (voids === true) return true
  return false
}

const LOST: Owed = { reason: 'history_lost', voids: true }

/** A state without a reset before it. */
export const STATE_ALONE: Owed = { reason: undefined }
