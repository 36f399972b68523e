import { type Channels, parseTopicKey } from '@tickwire/protocol'
import type { Snapshot } from '../../log.js'
import { parseEntry } from '../append/batch.js'
import { type Folded, FoldedStates } from './folded-states.js'
import type { ShardKeys } from '../keys.js'
import type { Reader } from '../tail/reader.js'
import { type Kept, type StateQuestion, StateReads, type TopicAnswer } from './state-reads.js'

/** How long a folded state outlives its topic's stream. */
const SNAPSHOT_SECONDS = 7 * 86_400

export interface StatesOptions {
  readonly reader: Reader
  readonly channels: Channels
  readonly keys: readonly ShardKeys[]
  shardOf (topic: string): number
}

/** What topics come to: read from the log, and kept in it where folding anew would need messages that go. */
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
      state: (question, epoch, asOf, answer) => question.lastOnly ? this.lastMessage(question, epoch, asOf, answer) : this.foldedState(question, epoch, asOf, answer),
      failure: (_topic, error) => reader.failure(keys.meta, error)
    }))
  }

  /** Undefined where the channel has no state or the topic none yet. */
  async snapshot (topic: string): Promise<Snapshot | undefined> {
    if (this.reduceOf(topic) === undefined) return undefined
    return await this.reads[this.options.shardOf(topic)]!.read(topic)
  }

  /** Whether its state is more than its last message. */
  isFolded (topic: string): boolean {
    return typeof this.reduceOf(topic) === 'function'
  }

  /** Puts the present state of a topic into the log. */
  async keep (topic: string): Promise<void> {
    const snapshot = await this.snapshot(topic)
    const folded = this.folded.get(topic)
    if (snapshot === undefined || folded === undefined) return
    const keys = this.options.keys[this.options.shardOf(topic)]!
    await this.options.reader.run('snapshot', [...keys.common, keys.snapshot(topic)], [
      folded.epoch, folded.sequence, folded.offset, folded.timestamp, JSON.stringify(folded.state), SNAPSHOT_SECONDS
    ])
  }

  private reduceOf (topic: string): 'last' | object | undefined {
    return this.options.channels.get(parseTopicKey(topic).channel)?.reduce
  }

  private question (topic: string): StateQuestion {
    if (!this.isFolded(topic)) return { topic, from: -1, epoch: 0, lastOnly: true }
    const known = this.folded.get(topic)
    return { topic, from: known?.offset ?? -1, epoch: known?.epoch ?? 0, lastOnly: false, known }
  }

  private lastMessage ({ topic }: StateQuestion, epoch: number, asOf: number, [, [last]]: TopicAnswer): Snapshot | undefined {
    if (last === undefined) return undefined
    const { sequence, timestamp, payload } = parseEntry(topic, this.options.shardOf(topic), last)
    return { topic, epoch, sequence, timestamp, payload, asOf }
  }

  private foldedState ({ topic, known }: StateQuestion, epoch: number, asOf: number, [kept, found]: TopicAnswer): Snapshot | undefined {
    const entries = found.map(entry => parseEntry(topic, this.options.shardOf(topic), entry))
    const goesOn = known !== undefined && known.offset <= asOf && known.epoch === epoch
    const base: Folded | undefined = isKept(kept)
      ? { epoch, sequence: Number(kept[0]), offset: Number(kept[1]), timestamp: Number(kept[2]), state: JSON.parse(kept[3]) }
      : goesOn ? known : undefined
    const folded = entries.length === 0 ? base : this.folded.fold(topic, epoch, base, entries)
    return folded === undefined ? undefined : { topic, epoch, sequence: folded.sequence, timestamp: folded.timestamp, payload: JSON.stringify(folded.state), asOf }
  }
}

const isKept = (kept: Kept | []): kept is Kept => kept.length > 0
