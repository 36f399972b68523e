import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { type ChannelDefinition, defineChannel } from '@tickwire/protocol'

/** By shard, in which epoch and up to which offset its inputs have been read. */
const Positions = Type.Record(Type.String(), Type.Tuple([Type.Integer(), Type.Integer()]))
export type Positions = Static<typeof Positions>

/** A message of a journal: one decision, and where the processor stood in its inputs; as a state, also what follows from all decisions. */
export interface JournalMessage<Decision = unknown, State = unknown> {
  readonly positions: Positions
  readonly decision: Decision
  readonly state?: State
}

export interface JournalOptions<State> {
  readonly name: string
  readonly description: string
  /** Of a decision. */
  readonly decision: TSchema
  /** A journal is needed as far back as outputs may be lost. */
  readonly retention?: ChannelDefinition['retention']
  initial (): State
  /** Must not change the state that it is given. */
  apply (state: State, decision: never): State
}

/** The channel of a processor's journal, whose one topic has the processor's state as its state. */
export function journalChannel<State> ({ name, description, decision, retention, initial, apply }: JournalOptions<State>): ChannelDefinition {
  return defineChannel({
    name,
    type: name,
    description,
    keyed: false,
    access: 'internal',
    ...(retention === undefined ? {} : { retention }),
    schema: Type.Object({ positions: Positions, decision, state: Type.Optional(Type.Unknown()) }),
    reduce: (before, message) => ({
      ...message, state: apply(before === undefined ? initial() : (before as JournalMessage<unknown, State>).state!, message.decision as never)
    })
  })
}
