import type { MessageWriter } from '../format.js'
import type { Hub } from '../hub.js'
import type { Plan, PlanOptions } from './plan.js'
import type { Selection } from '../audience/selector.js'
import type { View } from '../conflation/view.js'

/** A catch-up as its own parts see it. */
export interface CatchUpParts {
  readonly hub: Hub
  /** What is wanted. */
  readonly selection: Selection
  readonly plan: Plan
  readonly options: PlanOptions
  readonly writer: MessageWriter
  /** How a topic is wanted once it is live. */
  viewOf (topic: string): View
  /** Brings the plan into the hub's epochs, where it has gone to others. */
  followEpochs (): void
  /** The next slice begins with a reset that no cursor from before would lead to again. */
  voidCursors (): void
}
