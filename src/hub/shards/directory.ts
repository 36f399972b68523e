import { type Instrument, topicScope } from '@tickwire/protocol'
import type { Entry, Log, TopicPosition } from '../../log/log.js'
import type { Failures } from '../failures.js'
import { isInstrumentTopic, KnownInstruments } from './known-instruments.js'

/**
 * What topics and instruments there are: read from the log when the node begins to follow a shard, and kept by its tail. Of a
 * shard that sleeps it is as old as that, and may lack topics.
 */
export class Directory {
  /** By topic; the same objects as in {@link scopes}, which move on with every message. */
  private readonly positions = new Map<string, { sequence: number, offset: number }>()
  private readonly scopes = new Map<string, Map<string, TopicPosition>>()
  readonly known = new KnownInstruments()
  /** Of each load that is under way, the topics that the tail has named since: what the load read of them is older. */
  private readonly loads = new Set<Set<string>>()

  constructor (private readonly failures: Pick<Failures, 'note'>) {}

  /** The topics of a channel (and user), with their last positions. */
  topics (scope: string): ReadonlyMap<string, TopicPosition> {
    const only = this.positions.get(scope)
    return only === undefined ? this.scopes.get(scope) ?? NO_TOPICS : new Map([[scope, only]])
  }

  last (topic: string): TopicPosition | undefined {
    return this.positions.get(topic)
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
    this.set(entry.topic, entry)
    for (const named of this.loads) named.add(entry.topic)
    if (isInstrumentTopic(entry.topic)) this.declare(entry.topic, entry.payload)
  }

  /** What the log said of a topic of a shard that sleeps. */
  note (topic: string, position: TopicPosition): void {
    this.set(topic, position)
  }

  /**
   * Replaces what is known of a shard's topics: those that the log does not name are gone. Where the log is at another epoch by
   * then it stays: it is what was passed on, and who hears of that epoch loads again. @returns whether it was replaced
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
        if (!named.has(topic)) this.declare(topic, states[index]?.payload ?? 'null')
      }
      return true
    } finally {
      this.loads.delete(named)
    }
  }

  private replace (topics: ReadonlyMap<string, TopicPosition>, named: ReadonlySet<string>, concerned: (topic: string) => boolean): void {
    for (const topic of [...this.positions.keys()]) {
      if (topics.has(topic) || named.has(topic) || !concerned(topic)) continue
      this.positions.delete(topic)
      this.known.lose(topic)
      this.scopes.get(topicScope(topic))?.delete(topic)
    }
    for (const [topic, position] of topics) if (!named.has(topic)) this.set(topic, position)
  }

  private set (topic: string, { sequence, offset }: TopicPosition): void {
    const known = this.positions.get(topic)
    if (known !== undefined) {
      known.sequence = sequence
      known.offset = offset
      return
    }
    const position = { sequence, offset }
    this.positions.set(topic, position)
    const scope = topicScope(topic)
    // A topic without a symbol is all that its scope has, and there may be one for each user and channel.
    if (scope === topic) return
    let topics = this.scopes.get(scope)
    if (topics === undefined) this.scopes.set(scope, topics = new Map())
    topics.set(topic, position)
  }

  /** What cannot be read leaves the instrument as it was, and the other messages of its batch are taken all the same. */
  private declare (topic: string, payload: string): void {
    try {
      this.known.take(topic, payload)
    } catch (error) {
      this.failures.note(topic, 'instrument', error)
    }
  }
}

const NO_TOPICS: ReadonlyMap<string, TopicPosition> = new Map()
