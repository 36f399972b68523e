import { type ChannelDefinition, type Channels, isRemoval, parseTopicKey } from '@tickwire/protocol'
import type { Snapshot } from '../../log.js'
import { parseEntry } from '../append/batch.js'
import { type Folded, FoldedStates } from './folded-states.js'
import type { ShardKeys } from '../keys.js'
import type { Reader } from '../tail/reader.js'
import { type Kept, type StateQuestion, StateReads, type TopicAnswer } from './state-reads.js'

/**
 * How long a kept state outlives its last update. That of an internal channel stays for good: nobody says it
 * anew, and a journal's processor cannot go on without it.
 */
const SNAPSHOT_SECONDS = 7 * 86_400

export interface StatesOptions {
  readonly reader: Reader
  readonly channels: Channels
  readonly keys: readonly ShardKeys[]
  shardOf (topic: string): number
}

/**
 * The states of topics: read from the log, and kept in it before the messages go that they were folded from.
 */
export class States {
  private readonly folded: FoldedStates
  private readonly reads: ReadonlyArray<StateReads<Snapshot | undefined>>

  constructor (private readonly options: StatesOptions) {
    const { reader } = options
    this.folded = new FoldedStates(options.channels)
    this.reads = options.keys.map(keys => new StateReads({
      question: topic => this.question(topic),
      ask: async (questions, maxBytes) => await reader.run(
        'state',
        [...keys.common, ...questions.flatMap(({ topic }) => [keys.stream(topic), keys.snapshot(topic)])],
        [maxBytes, ...questions.flatMap(({ from, epoch, lastOnly }) => [from, epoch, lastOnly ? 1 : 0])]
      ) as never,
      state: (question, epoch, asOf, answer) => question.lastOnly
        ? this.lastMessage(question, epoch, asOf, answer)
        : this.foldedState(question, epoch, asOf, answer),
      failure: (_topic, error) => reader.failure(keys.meta, error)
    }))
  }

  /** Returns undefined if the channel has no state, or the topic has none yet. */
  async snapshot (topic: string): Promise<Snapshot | undefined> {
    if (this.channelOf(topic)?.reduce === undefined) return undefined
    return await this.reads[this.options.shardOf(topic)]!.read(topic)
  }

  /** Whether the topic's state is folded, and so more than its last message. */
  isFolded (topic: string): boolean {
    return typeof this.channelOf(topic)?.reduce === 'function'
  }

  /** Writes the current state of a topic into the log. */
  async keep (topic: string): Promise<void> {
    const snapshot = await this.snapshot(topic)
    const folded = this.folded.get(topic)
    if (snapshot === undefined || folded === undefined) return
    const keys = this.options.keys[this.options.shardOf(topic)]!
    const { epoch, sequence, offset, timestamp, state } = folded
    const seconds = this.channelOf(topic)?.access === 'internal' ? '' : SNAPSHOT_SECONDS
    await this.options.reader.run(
      'snapshot',
      [...keys.common, keys.snapshot(topic)],
      [epoch, sequence, offset, timestamp, JSON.stringify(state), seconds]
    )
  }

  private channelOf (topic: string): ChannelDefinition | undefined {
    return this.options.channels.get(parseTopicKey(topic).channel)
  }

  private question (topic: string): StateQuestion {
    if (!this.isFolded(topic)) return { topic, from: -1, epoch: 0, lastOnly: true }
    const known = this.folded.get(topic)
    return { topic, from: known?.offset ?? -1, epoch: known?.epoch ?? 0, lastOnly: false, known }
  }

  private lastMessage (
    { topic }: StateQuestion,
    epoch: number,
    asOf: number,
    [, [last]]: TopicAnswer
  ): Snapshot | undefined {
    if (last === undefined) return undefined
    const { sequence, timestamp, payload } = parseEntry(topic, this.options.shardOf(topic), last)
    if (isRemoval(this.channelOf(topic)!, payload)) return undefined
    return { topic, epoch, sequence, timestamp, payload, asOf }
  }

  private foldedState (
    { topic, known }: StateQuestion,
    epoch: number,
    asOf: number,
    [kept, found]: TopicAnswer
  ): Snapshot | undefined {
    const entries = found.map(entry => parseEntry(topic, this.options.shardOf(topic), entry))
    const isUsable = known !== undefined && known.offset <= asOf && known.epoch === epoch
    const base = isKept(kept) ? parseKept(epoch, kept) : isUsable ? known : undefined
    const folded = entries.length === 0 ? base : this.folded.fold(topic, epoch, base, entries)
    if (folded === undefined) return undefined
    const { sequence, timestamp, state } = folded
    return { topic, epoch, sequence, timestamp, payload: JSON.stringify(state), asOf }
  }
}

const isKept = (kept: Kept | []): kept is Kept => kept.length > 0

function parseKept (epoch: number, [sequence, offset, time, payload]: Kept): Folded {
  return {
    epoch,
    sequence: Number(sequence),
    offset: Number(offset),
    timestamp: Number(time),
    state: JSON.parse(payload)
  }
}
