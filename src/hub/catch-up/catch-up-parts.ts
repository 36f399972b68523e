import type { MessageWriter } from '../format.js'
import type { Hub } from '../hub.js'
import type { Plan, PlanOptions } from './plan.js'
import type { Selection } from '../audience/selector.js'
import type { View } from '../conflation/view.js'

/** A catch-up as its own parts see it. */
export interface CatchUpParts {
  readonly hub: Hub
  /** The topics that it is for. */
  readonly selection: Selection
  readonly plan: Plan
  readonly options: PlanOptions
  readonly writer: MessageWriter
  /** Returns the view of a topic once it is live. */
  viewOf (topic: string): View
  /** Brings the plan into the hub's epochs, if the hub has gone to others. */
  followEpochs (): void
  /** Marks the next slice as one that voids cursors ({@link Slice.voids}). */
  voidCursors (): void
}
