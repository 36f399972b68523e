import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { type ChannelDefinition, defineChannel } from '@tickwire/protocol'

/** By shard, the epoch and the offset up to which the processor has read its inputs. */
const Positions = Type.Record(Type.String(), Type.Tuple([Type.Integer(), Type.Integer()]))
export type Positions = Static<typeof Positions>

/**
 * A message of a journal: one decision, and the processor's position in its inputs. The journal's state also
 * has the state that follows from all decisions.
 */
export interface JournalMessage<Decision = unknown, State = unknown> {
  readonly positions: Positions
  /** Absent from a message that only notes positions. */
  readonly decision?: Decision | undefined
  readonly state?: State
}

export interface JournalOptions<State> {
  readonly name: string
  readonly description: string
  /** The schema of a decision. */
  readonly decision: TSchema
  /** The journal must be retained for as long as outputs may be lost. */
  readonly retention?: ChannelDefinition['retention']
  initial (): State
  /** Returns the next state; it may change the one that it gets. */
  apply (state: State, decision: never): State
}

/** Makes the channel of a processor's journal. The state of its one topic has the processor's state. */
export function journalChannel<State> (options: JournalOptions<State>): ChannelDefinition {
  const { name, description, decision, retention, initial, apply } = options
  return defineChannel({
    name,
    type: name,
    description,
    keyed: false,
    access: 'internal',
    ...(retention === undefined ? {} : { retention }),
    schema: Type.Object({
      positions: Positions, decision: Type.Optional(decision), state: Type.Optional(Type.Unknown())
    }),
    reduce: (before, message) => {
      const state = before === undefined ? initial() : (before as JournalMessage<unknown, State>).state!
      if (message.decision === undefined) return { ...message, state }
      return { ...message, state: apply(state, message.decision as never) }
    }
  })
}
