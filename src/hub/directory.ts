import { type Instrument, instruments as instrumentsChannel, topicKey, topicScope } from '@tickwire/protocol'
import type { Entry, Log, TopicPosition } from '../log/log.js'

/** What topics and instruments there are: read from the log when the node starts, and kept by its tail. */
export class Directory {
  /** By topic; the same objects as in {@link scopes}, which move on with every message. */
  private readonly positions = new Map<string, { sequence: number, offset: number }>()
  private readonly scopes = new Map<string, Map<string, TopicPosition>>()
  private readonly known = new Map<string, Instrument>()
  private readonly markets = new Map<string, number>()
  /** Topics that the tail has named since a load began: what the load read of them is older. */
  private named: Set<string> | undefined

  /** The topics of a channel (and user), with their last positions. */
  topics (scope: string): ReadonlyMap<string, TopicPosition> {
    return this.scopes.get(scope) ?? NO_TOPICS
  }

  last (topic: string): TopicPosition | undefined {
    return this.positions.get(topic)
  }

  /** Every topic of every channel. */
  * every (): Iterable<[string, TopicPosition]> {
    yield * this.positions
  }

  instruments (): Iterable<Instrument> {
    return this.known.values()
  }

  instrument (symbol: string): Instrument | undefined {
    return this.known.get(symbol)
  }

  hasInstrument (symbol: string): boolean {
    return this.known.has(symbol)
  }

  hasMarket (market: string): boolean {
    return this.markets.has(market)
  }

  add (entry: Entry): void {
    this.set(entry.topic, entry)
    this.named?.add(entry.topic)
    if (entry.topic.startsWith(INSTRUMENT_PREFIX)) this.declare(entry.payload)
  }

  /** Replaces what is known of some topics, as after a new epoch: those that the log does not name are gone. */
  async load (log: Log, concerned: (topic: string) => boolean = () => true): Promise<void> {
    const named = this.named = new Set<string>()
    const topics = await log.topics()
    const declared = [...topics.keys()].filter(topic => topic.startsWith(INSTRUMENT_PREFIX) && concerned(topic))
    const states = await Promise.all(declared.map(topic => log.snapshot(topic)))
    for (const [topic] of [...this.every()]) {
      if (!concerned(topic) || topics.has(topic) || named.has(topic)) continue
      this.positions.delete(topic)
      this.scopes.get(topicScope(topic))?.delete(topic)
    }
    for (const [topic, position] of topics) {
      if (concerned(topic) && !named.has(topic)) this.set(topic, position)
    }
    this.named = undefined
    for (const state of states) {
      if (state !== undefined && !named.has(state.topic)) this.declare(state.payload)
    }
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
    let topics = this.scopes.get(scope)
    if (topics === undefined) this.scopes.set(scope, topics = new Map())
    topics.set(topic, position)
  }

  private declare (payload: string): void {
    const instrument = JSON.parse(payload) as Instrument
    const before = this.known.get(instrument.symbol)?.market
    if (before !== undefined) {
      const left = this.markets.get(before)! - 1
      if (left === 0) this.markets.delete(before)
      else this.markets.set(before, left)
    }
    if (instrument.market !== undefined) this.markets.set(instrument.market, (this.markets.get(instrument.market) ?? 0) + 1)
    this.known.set(instrument.symbol, instrument)
  }
}

const NO_TOPICS: ReadonlyMap<string, TopicPosition> = new Map()
const INSTRUMENT_PREFIX = topicKey({ channel: instrumentsChannel.name, symbol: '' })
