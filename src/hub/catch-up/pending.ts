import type { ResetReason } from '@tickwire/protocol'

/** What comes before a topic's next messages: its state, or the retained messages of a topic without one. */
export interface PendingState {
  /** The reason of the reset before it; undefined if there is no reset. */
  readonly reason: ResetReason | undefined
  /**
   * If the client was sent the reset and a part of the retained messages: the offset up to which it has them.
   */
  readonly givenUpTo?: number
  /**
   * Whether the reset stands for a message that could not be passed on. The log has that message: if the
   * client lost its connection after the reset, and resumed at a cursor from before it, it would miss the
   * reset. So such cursors must not be good any more.
   */
  readonly voids?: boolean
}

/** Adds resets of some topics to pending states. A topic whose reset voids cursors keeps that reset. */
export function withResets (
  pending: ReadonlyMap<string, PendingState>, topics: Iterable<string>, reason: ResetReason
): ReadonlyMap<string, PendingState> {
  const more = new Map(pending)
  for (const topic of topics) more.set(topic, pending.get(topic)?.voids === true ? LOST : { reason })
  return more
}

/** Adds the reset of a topic that had a message which could not be passed on. */
export function withLoss (
  pending: ReadonlyMap<string, PendingState>, topic: string
): ReadonlyMap<string, PendingState> {
  return new Map(pending).set(topic, LOST)
}

/** Whether a cursor of now would cover a message that could not be passed on. */
export function voidsCursors (pending: ReadonlyMap<string, PendingState>): boolean {
  for (const { voids } of pending.values()) if (voids === true) return true
  return false
}

const LOST: PendingState = { reason: 'history_lost', voids: true }

/** A state without a reset before it. */
export const STATE_ALONE: PendingState = { reason: undefined }
