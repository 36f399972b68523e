import type { Topic } from '@tickwire/protocol'
import type { Entry } from '../log/log.js'

/** A message of an input, as a processor gets it. */
export interface Input {
  readonly topic: Topic
  /** The message's `data`. */
  readonly data: unknown
  /** In its input topic. */
  readonly sequence: number
  /** When the log accepted it, in milliseconds since 1970. */
  readonly timestamp: number
  /** The message replaces the whole state of its topic. */
  readonly replaces: boolean
  /** Whether the log has dropped messages of the topic before this one that the processor has not seen. */
  readonly missed: boolean
  /** In which the log gave out its offset. */
  readonly epoch: number
}

/** A message that a processor publishes. */
export interface Output extends Topic {
  readonly data: unknown
  /** The message replaces the topic's whole state. */
  readonly snapshot?: boolean
}

/**
 * A processor each of whose output topics follows from one input topic: bars from trades. It runs once for
 * each shard of the log, on the server that has that shard's lease, and restores its state from its own
 * outputs. Its functions must be pure: a server that takes over repeats what was done since the newest
 * output, and the log appends none of it twice.
 */
export interface TopicProcessor<State = unknown> {
  /** See `PROCESSOR_NAME` of the log. */
  readonly name: string
  /** The channels that it reads. */
  readonly inputs: readonly string[]
  /** The channels that it publishes to. A subscriber of one of them creates demand for the inputs, too. */
  readonly outputs: readonly string[]
  /** Returns the output topic of an input topic. No two input topics may share one. */
  outputOf (input: Topic): Topic
  /** Returns the state after an output of a topic; `data` is undefined if the topic has none yet. */
  restore (data: unknown, output: Topic): State
  /** Applies a message: returns the next state, and the data of its outputs, in order. */
  apply (state: State, message: Input): { readonly state: State, readonly outputs: readonly unknown[] }
  /**
   * Returns an output that says what a state is. It is published if the log has lost messages that outputs
   * follow from.
   */
  correct (state: State, output: Topic): unknown
}

/**
 * A processor with several inputs whose order matters: orders and quotes. It runs on one server at a time. It
 * appends each decision, with its positions in all inputs, to one journal topic before it publishes anything
 * that follows from the decision. Outputs are projections of the journal. If the journal loses its last
 * messages, the processor corrects its outputs to what is left of the journal.
 */
export interface JournalProcessor<State = unknown, Decision = unknown> {
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** A channel made by `journalChannel`; its state has the processor's. */
  readonly journal: string
  /** Returns a new state, as it is before the first decision. */
  initial (): State
  /**
   * Decides about a message; returns undefined if there is nothing to decide. Without a decision nothing is
   * written, except that a processor with {@link rules} notes its positions now and then.
   */
  decide (state: State, message: Input): Decision | undefined
  /** Returns the next state; it may change the one that it gets. */
  apply (state: State, decision: Decision): State
  /** Returns the outputs of a decision, in order. */
  project (decision: Decision): readonly Output[]
  /**
   * Returns an output that says what a state means for a topic; undefined for none. It is published if the
   * journal has lost decisions that the topic follows from.
   */
  correct (state: State, topic: Topic): unknown
  /** For a processor that goes by rules which users make. */
  readonly rules?: ProcessorRules<State>
  /**
   * For a processor that follows the topics that its state makes matter, and no others. A run then asks what
   * this returns instead of {@link decide}.
   * @param state before the first decision of the run; `apply` must change and return the same object
   */
  follow? (state: State): Following<Decision>
  /** For a processor whose state must outlive its journal. */
  readonly restore?: Restore<Decision>
}

/** Brings the state of a processor back if the log has nothing of its journal any more. */
export interface Restore<Decision = unknown> {
  /** The compacted channels that say how things stood. */
  readonly channels: readonly string[]
  /**
   * Returns the first decision of the journal; undefined if there is nothing to bring back.
   * @param states of all topics of the channels, by the topics' keys
   */
  decision (states: ReadonlyMap<string, unknown>): Decision | undefined
}

/**
 * What a run of a processor keeps beside the state of its journal, such as the books of open orders. All of
 * it follows from the state, and from the log.
 */
export interface Following<Decision = unknown> {
  /** Returns the keys of the topics that matter when the run begins, and that have a state. */
  begin (): readonly string[]
  /** Whether the messages of a topic matter now. The run passes over all others. */
  concerns (topic: string): boolean
  /**
   * Returns the keys of topics whose state must be known before a message can be decided about, and is not.
   * They matter from then on.
   */
  needs (message: Input): readonly string[]
  /** Learns the state of a topic, undefined if it has none. Only newer messages of the topic follow. */
  learn (topic: string, state: unknown): void
  /** As `decide` of the processor. */
  decide (message: Input): Decision | undefined
  /** Decides about the passing of time. @param now in milliseconds since 1970 */
  decideDue (now: number): Decision | undefined
  /**
   * Returns messages with the present state of everything that has changed since the last call. The run
   * publishes them after the decisions that they follow from, and does not journal them.
   */
  takeStates (now: number): readonly Output[]
  /** Returns when time alone may change something, in milliseconds since 1970; undefined for never. */
  nextDue (): number | undefined
  /** Called when the run ends. */
  end (): void
}

/**
 * The rules that a processor goes by. It runs only while there are any, and knows all of them before it
 * decides about anything. Rules are not journaled: the log has them. Subscribers of the processor's outputs
 * create no demand for its inputs, because its rules do.
 */
export interface ProcessorRules<State = unknown> {
  /** The channel that has them: compacted, and on the shard that every server follows. */
  readonly channel: string
  /**
   * Begins what a run of the processor keeps beside its state: an index over the rules, windows of time.
   * @param state before the first decision of the run; `apply` must change and return the same object
   */
  begin (state: State): RuleMemory
}

/** What a run keeps beside the state of the journal. All of it follows from the state, and from the log. */
export interface RuleMemory {
  /**
   * Learns a topic of the rules' channel as it is now.
   * @param data undefined if the topic was removed
   * @param at when the log accepted its last message, in milliseconds since 1970
   * @returns the past that is needed before the next decision
   */
  learn (user: string | undefined, data: unknown, at: number): readonly Past[]
  /** Called when all rules that there are have been learned. */
  learned (): void
  /** Whether any rule needs the messages of a topic. */
  concerns (topic: string): boolean
}

/** Messages that have been decided about already, and that a run needs once more. */
export interface Past {
  /** The key of their topic. */
  readonly topic: string
  /** How far back, in milliseconds before the last message. */
  readonly lengthMs: number
  /** Gets each retained message, oldest first. */
  recall (message: Input): void
}

/** Counts what all states of a run keep together, so that each can keep less if that is too much. */
export interface Budget {
  used: number
  readonly most: number
}

/** What a topic that a view publishes to says, as the view hears it. */
export interface Said {
  /** The output topic. */
  readonly topic: Topic
  readonly data: unknown
  /** Whether the view itself said it, and the log has lost nothing that it follows from. */
  readonly stands: boolean
  /** Whether the log has dropped messages of the output topic before this one that the view has not heard. */
  readonly missed: boolean
}

/** What a view has to publish now, and when it must be asked again though no message comes. */
export interface Due {
  readonly outputs: readonly Output[]
  /** In milliseconds since 1970; undefined if only a message can change anything. */
  readonly next: number | undefined
}

/**
 * A processor whose outputs say what is so by now, and depend on time as well: bars from trades. Its state
 * follows from the retained messages of one input topic. What it publishes is the difference between that
 * state and what its output topics say already. So a server that takes over needs nothing but the log, and
 * ends at the same outputs whatever the last one has published (ADR 45). It runs once for each shard.
 */
export interface ViewProcessor<State = unknown> {
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Returns the output topics of an input topic. No two input topics may share one. */
  outputsOf (input: Topic): readonly Topic[]
  /**
   * Returns the state before any message. The other functions may change it.
   * @param first the sequence of the input's first message that the log has not dropped
   * @param budget for what it keeps of single messages. A run begins with a new one
   */
  initial (input: Topic, first: number, budget: Budget): State
  /**
   * Takes note of what an output topic says: of all that the log has before the first input is applied, and
   * later of what somebody else has published there.
   */
  hear (state: State, said: Said): void
  apply (state: State, message: Input): void
  /**
   * Returns what must be published. It counts as said from then on.
   * @param now the log's time, in milliseconds since 1970
   */
  due (state: State, now: number): Due
  /**
   * Takes note that the log has refused an output of {@link due}: nobody has it. The state is asked again
   * what is due, after a while or after its next message.
   */
  unsaid (state: State, output: Output): void
}

export type Processor = TopicProcessor | JournalProcessor | ViewProcessor

/** How a run publishes. */
export interface PublishOptions extends RunEpochs {
  /** Nothing is appended if one of the messages is refused. */
  readonly whole?: boolean
}

/** The epochs of a run. The run publishes nothing in others. */
export interface RunEpochs {
  /** The epochs of the inputs' shard, oldest first. */
  readonly lineage: readonly number[]
  /** By shard, the epoch in which outputs are appended. */
  readonly epochs: readonly number[]
}

/** The result of publishing a message, see `AppendResult` of the log; undefined if it was refused. */
export type Published = { readonly sequence: number, readonly repeated?: true } | undefined

/** What a run of a processor gets. It publishes under the fence of the processor's lease. */
export interface ProcessorContext {
  /**
   * Publishes in order.
   * @returns an answer for each message, at its index
   * @throws StaleEpoch, and whatever else keeps the messages from being appended
   */
  publish (messages: readonly ProcessorMessage[], options: PublishOptions): Promise<readonly Published[]>
  /** Aborted when the run must end, for instance because another server has the lease. */
  readonly signal: AbortSignal
}

export interface ProcessorMessage extends Output {
  /** Absent from a message that says how things stand: it may be repeated. */
  readonly origin?: NonNullable<Entry['origin']>
}
