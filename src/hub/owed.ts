import type { ResetReason } from '@tickwire/protocol'

/** What comes before a topic's next messages: its state, or what the log still holds of it where it has none. */
export interface Owed {
  /** Of the reset before it; undefined where there is none. */
  readonly reason: ResetReason | undefined
  /** Of a topic without a state that has been reset: up to this offset it was given what the log holds. */
  readonly givenUpTo?: number
}

/** A state without a reset before it. */
export const STATE_ALONE: Owed = { reason: undefined }
