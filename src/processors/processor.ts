import type { Topic } from '@tickwire/protocol'
import type { Entry } from '../log/log.js'

/** A message of an input, as a processor is given it. */
export interface Input {
  readonly topic: Topic
  /** The message's `data`. */
  readonly data: unknown
  /** Of the input topic. */
  readonly sequence: number
  /** When the log accepted it, in milliseconds since 1970. */
  readonly timestamp: number
  /** The message replaces the whole state of its topic. */
  readonly replaces: boolean
  /** Whether the log dropped messages of the topic before this one that the processor has not seen. */
  readonly missed: boolean
}

/** A message that a processor publishes. */
export interface Output extends Topic {
  readonly data: unknown
  /** The message replaces the topic's whole state. */
  readonly snapshot?: boolean
}

/**
 * A processor each of whose output topics follows from one input topic: bars from trades. It runs once for each shard of the log, on
 * whichever server has the lease of that shard, and takes its state from what it has published. Its functions are pure: a server that
 * takes over repeats what was done since the newest output, and the log appends none of it twice.
 */
export interface TopicProcessor<State = unknown> {
  /** See `PROCESSOR_NAME` of the log. */
  readonly name: string
  /** The channels that it follows. */
  readonly inputs: readonly string[]
  /** The channels that it publishes to. Who subscribes to these wants its inputs, too. */
  readonly outputs: readonly string[]
  /** Where the outputs of an input topic go. No two input topics share an output topic. */
  outputOf (input: Topic): Topic
  /** The state behind an output of a topic; `data` is undefined where the topic has none yet. */
  restore (data: unknown, output: Topic): State
  /** What a message does: the next state, and the data of the outputs, in order. */
  apply (state: State, message: Input): { readonly state: State, readonly outputs: readonly unknown[] }
  /** The output that says what a state is: published when the log has lost messages that the topic's outputs follow from. */
  correct (state: State, output: Topic): unknown
}

/**
 * A processor with several inputs whose order matters: orders and quotes. It runs on one server at a time. It writes each decision to one
 * journal topic before anything follows from it, with its positions in all inputs. Outputs are projections of the journal: if the journal
 * loses its last messages, what is left of it is the truth, and the processor corrects its outputs.
 */
export interface JournalProcessor<State = unknown, Decision = unknown> {
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Made by `journalChannel`: its state is the processor's. */
  readonly journal: string
  /** Before the first decision. */
  initial (): State
  /** What is decided about a message; undefined for nothing. */
  decide (state: State, message: Input): Decision | undefined
  apply (state: State, decision: Decision): State
  /** The outputs of a decision, in order. */
  project (decision: Decision): readonly Output[]
  /** What an output topic says of a state; undefined for nothing. Published when decisions are lost that the topic follows from. */
  correct (state: State, topic: Topic): unknown
}

export type Processor = TopicProcessor | JournalProcessor

/** In which epochs a processor runs: it publishes nothing in others. */
export interface RunEpochs {
  /** Of the shard of its inputs, oldest first. */
  readonly lineage: readonly number[]
  /** By shard, where its outputs go. */
  readonly epochs: readonly number[]
}

/** Where a message of a processor is, see `AppendResult` of the log; undefined where it was refused. */
export type Published = { readonly sequence: number, readonly repeated?: true } | undefined

/** What a processor publishes through, under the fence of its lease. */
export interface ProcessorContext {
  /** @returns an answer for each message, in its place @throws StaleEpoch; what else keeps them from being appended */
  publish (messages: readonly ProcessorMessage[], options: RunEpochs): Promise<readonly Published[]>
  /** Aborted when another server is to run it. */
  readonly signal: AbortSignal
}

export interface ProcessorMessage extends Output {
  readonly origin: NonNullable<Entry['origin']>
}
