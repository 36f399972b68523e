import { type Instrument, topicScope } from '@tickwire/protocol'
import type { Entry, Log, TopicPosition } from '../../log/log.js'
import type { Failures } from '../failures.js'
import { isInstrumentTopic, KnownInstruments } from './known-instruments.js'

/**
 * The topics and instruments that exist. The node reads those of a shard from the log when it begins to
 * follow the shard, and keeps them up to date from the shard's tail. What is known of a sleeping shard is as
 * old as its last waking, and may lack topics.
 */
export class Directory {
  /** By topic; the same objects as in {@link scopes}, updated in place by every message. */
  private readonly positions = new Map<string, { sequence: number, offset: number }>()
  private readonly scopes = new Map<string, Map<string, TopicPosition>>()
  readonly known = new KnownInstruments()
  /** Of each load in progress, the topics that the tail has named since: what the load reads may be older. */
  private readonly loads = new Set<Set<string>>()

  constructor (private readonly failures: Pick<Failures, 'note'>) {}

  /** Returns the topics of a channel (and user), with the position of the last message of each. */
  topics (scope: string): ReadonlyMap<string, TopicPosition> {
    const only = this.positions.get(scope)
    return only === undefined ? this.scopes.get(scope) ?? NO_TOPICS : new Map([[scope, only]])
  }

  last (topic: string): TopicPosition | undefined {
    return this.positions.get(topic)
  }

  /** How many topics there are. */
  get size (): number {
    return this.positions.size
  }

  /** Every topic of every channel. */
  * every (): Iterable<[string, TopicPosition]> {
    yield * this.positions
  }

  instruments (): Iterable<Instrument> {
    return this.known.all()
  }

  instrument (symbol: string): Instrument | undefined {
    return this.known.get(symbol)
  }

  hasInstrument (symbol: string): boolean {
    return this.known.get(symbol) !== undefined
  }

  hasMarket (market: string): boolean {
    return this.known.hasMarket(market)
  }

  add (entry: Entry): void {
    this.setPosition(entry.topic, entry)
    for (const named of this.loads) named.add(entry.topic)
    if (isInstrumentTopic(entry.topic)) this.takeInstrument(entry.topic, entry.payload)
  }

  /** Notes a topic of a sleeping shard that a read of the log has found. */
  note (topic: string, position: TopicPosition): void {
    this.setPosition(topic, position)
  }

  /**
   * Reads the topics of a shard from the log, and drops those that the log does not name. If the log is in
   * another epoch by the time it has answered, the directory stays as it is: it matches what the hub has
   * passed on, and the new epoch causes another load.
   * @returns whether the topics were replaced
   * @throws ProtocolError `log_unavailable`
   */
  async load (log: Log, shard: number, epoch: number): Promise<boolean> {
    const named = new Set<string>()
    this.loads.add(named)
    try {
      const topics = await log.topics(shard)
      const declared = [...topics.keys()].filter(isInstrumentTopic)
      const states = await Promise.all(declared.map(topic => log.snapshot(topic)))
      const [head] = await log.head([shard])
      if (head!.epoch !== epoch) return false
      this.replace(topics, named, topic => log.shardOf(topic) === shard)
      for (const [index, topic] of declared.entries()) {
        // A topic without a state was removed.
        if (!named.has(topic)) this.takeInstrument(topic, states[index]?.payload ?? 'null')
      }
      return true
    } finally {
      this.loads.delete(named)
    }
  }

  private replace (
    topics: ReadonlyMap<string, TopicPosition>,
    named: ReadonlySet<string>,
    inShard: (topic: string) => boolean
  ): void {
    for (const topic of [...this.positions.keys()]) {
      if (topics.has(topic) || named.has(topic) || !inShard(topic)) continue
      this.positions.delete(topic)
      this.known.lose(topic)
      this.scopes.get(topicScope(topic))?.delete(topic)
    }
    for (const [topic, position] of topics) if (!named.has(topic)) this.setPosition(topic, position)
  }

  private setPosition (topic: string, { sequence, offset }: TopicPosition): void {
    const known = this.positions.get(topic)
    if (known !== undefined) {
      known.sequence = sequence
      known.offset = offset
      return
    }
    const position = { sequence, offset }
    this.positions.set(topic, position)
    const scope = topicScope(topic)
    // A topic without a symbol is alone in its scope. There may be one for each user and channel: no maps.
    if (scope === topic) return
    let topics = this.scopes.get(scope)
    if (topics === undefined) this.scopes.set(scope, topics = new Map())
    topics.set(topic, position)
  }

  /** Reads an instrument. One that cannot be read stays as it was, and the rest of its batch goes on. */
  private takeInstrument (topic: string, payload: string): void {
    try {
      this.known.take(topic, payload)
    } catch (error) {
      this.failures.note(topic, 'instrument', error)
    }
  }
}

const NO_TOPICS: ReadonlyMap<string, TopicPosition> = new Map()
