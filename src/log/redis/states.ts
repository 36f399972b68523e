import { type Channels, parseTopicKey } from '@tickwire/protocol'
import type { Snapshot } from '../log.js'
import { parseEntry, type StreamEntry } from './batch.js'
import { type Folded, FoldedStates } from './folded-states.js'
import type { ShardKeys } from './keys.js'
import type { Reader } from './reader.js'
import { SharedReads } from './shared-reads.js'

/** How long a folded state outlives its topic's stream. */
const SNAPSHOT_SECONDS = 7 * 86_400

export interface StatesOptions {
  readonly reader: Reader
  readonly channels: Channels
  readonly keys: readonly ShardKeys[]
  shardOf (topic: string): number
}

type Kept = [sequence: string, offset: string, time: string, payload: string]
type StateAnswer = [epoch: string, offset: string, kept: Kept | [], entries: StreamEntry[]]

/** What topics come to: read from the log, and kept in it where folding anew would need messages that go. */
export class States {
  private readonly folded: FoldedStates
  private readonly reads = new SharedReads<Snapshot | undefined>()

  constructor (private readonly options: StatesOptions) {
    this.folded = new FoldedStates(options.channels)
  }

  /** Undefined where the channel has no state or the topic none yet. */
  async snapshot (topic: string): Promise<Snapshot | undefined> {
    const reduce = this.options.channels.get(parseTopicKey(topic).channel)?.reduce
    if (reduce === undefined) return undefined
    return await this.reads.read(topic, () => reduce === 'last' ? this.lastMessage(topic) : this.foldedState(topic))
  }

  /** Whether its state is more than its last message. */
  isFolded (topic: string): boolean {
    return typeof this.options.channels.get(parseTopicKey(topic).channel)?.reduce === 'function'
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

  private async lastMessage (topic: string): Promise<Snapshot | undefined> {
    const [epoch, asOf, , entries] = await this.ask(topic, -1, 0, 1)
    const [last] = entries
    if (last === undefined) return undefined
    const { sequence, timestamp, payload } = parseEntry(topic, this.options.shardOf(topic), last)
    return { topic, epoch: Number(epoch), sequence, timestamp, payload, asOf: Number(asOf) }
  }

  private async foldedState (topic: string): Promise<Snapshot | undefined> {
    const known = this.folded.get(topic)
    const [epochText, offset, kept, found] = await this.ask(topic, known?.offset ?? -1, known?.epoch ?? 0, 0)
    const epoch = Number(epochText)
    const asOf = Number(offset)
    const entries = found.map(entry => parseEntry(topic, this.options.shardOf(topic), entry))
    const goesOn = known !== undefined && known.offset <= asOf && known.epoch === epoch
    const base: Folded | undefined = isKept(kept)
      ? { epoch, sequence: Number(kept[0]), offset: Number(kept[1]), timestamp: Number(kept[2]), state: JSON.parse(kept[3]) }
      : goesOn ? known : undefined
    const folded = entries.length === 0 ? base : this.folded.fold(topic, epoch, base, entries)
    return folded === undefined ? undefined : { topic, epoch, sequence: folded.sequence, timestamp: folded.timestamp, payload: JSON.stringify(folded.state), asOf }
  }

  private async ask (topic: string, from: number, epoch: number, lastOnly: 0 | 1): Promise<StateAnswer> {
    const keys = this.options.keys[this.options.shardOf(topic)]!
    return await this.options.reader.run('state', [...keys.common, keys.stream(topic), keys.snapshot(topic)], [from, epoch, lastOnly]) as StateAnswer
  }
}

const isKept = (kept: Kept | []): kept is Kept => kept.length > 0
