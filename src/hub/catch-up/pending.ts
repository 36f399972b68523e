import type { ResetReason } from '@tickwire/protocol'

/** What comes before a topic's next messages: its state, or what the log still holds of it where it has none. */
export interface PendingState {
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
export function withResets (pending: ReadonlyMap<string, PendingState>, topics: Iterable<string>, reason: ResetReason): ReadonlyMap<string, PendingState> {
  const more = new Map(pending)
  for (const topic of topics) more.set(topic, pending.get(topic)?.voids === true ? LOST : { reason })
  return more
}

/** The same for a topic of which something could not be passed on. */
export function withLoss (pending: ReadonlyMap<string, PendingState>, topic: string): ReadonlyMap<string, PendingState> {
  return new Map(pending).set(topic, LOST)
}

/** Whether a cursor of now would cover something that could not be passed on. */
export function voidsCursors (pending: ReadonlyMap<string, PendingState>): boolean {
  for (const { voids } of pending.values()) if (voids === true) return true
  return false
}

const LOST: PendingState = { reason: 'history_lost', voids: true }

/** A state without a reset before it. */
export const STATE_ALONE: PendingState = { reason: undefined }
