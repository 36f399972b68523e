import {
  type Instrument, type InstrumentOverride, instrumentOverrides, instruments, parseTopicKey, topicKey
} from '@tickwire/protocol'

const DECLARED_PREFIX = topicKey({ channel: instruments.name, symbol: '' })
const OVERRIDE_PREFIX = topicKey({ channel: instrumentOverrides.name, symbol: '' })

/** Returns whether a topic says something of an instrument. */
export const isInstrumentTopic = (topic: string): boolean => (
  topic.startsWith(instruments.name) &&
    (topic.startsWith(DECLARED_PREFIX) || topic.startsWith(OVERRIDE_PREFIX))
)

/** Returns the topics that say what an instrument is. */
export const instrumentTopics = (symbol: string): readonly string[] => (
  [DECLARED_PREFIX + symbol, OVERRIDE_PREFIX + symbol]
)

/**
 * The instruments: what an operator said of a symbol, or else what sources declared (ADR 43). The two are
 * kept apart, so that it does not matter in which order they come.
 */
export class KnownInstruments {
  private readonly declared = new Map<string, Instrument>()
  private readonly overrides = new Map<string, InstrumentOverride>()
  private readonly known = new Map<string, Instrument>()
  private readonly markets = new Map<string, number>()

  all (): Iterable<Instrument> {
    return this.known.values()
  }

  get (symbol: string): Instrument | undefined {
    return this.known.get(symbol)
  }

  /** Returns what sources said last; undefined if they declared none, or removed it. */
  declaredAs (symbol: string): Instrument | undefined {
    return this.declared.get(symbol)
  }

  /** Returns what an operator said last; undefined if nothing. */
  overrideOf (symbol: string): InstrumentOverride | undefined {
    return this.overrides.get(symbol)
  }

  hasMarket (market: string): boolean {
    return this.markets.has(market)
  }

  /**
   * Takes a message of an instrument's topic.
   * @param payload its data as JSON text
   * @throws if it cannot be read; what was known stays
   */
  take (topic: string, payload: string): void {
    const isDeclared = topic.startsWith(DECLARED_PREFIX)
    const layer: Map<string, InstrumentOverride> = isDeclared ? this.declared : this.overrides
    const said = JSON.parse(payload) as InstrumentOverride | null
    const symbol = parseTopicKey(topic).symbol!
    if (said === null) layer.delete(symbol)
    else if (said.symbol === symbol) layer.set(symbol, said)
    else throw new TypeError('the message names another symbol than its topic')
    this.settle(symbol)
  }

  /** Forgets what the log has lost of an operator's. What sources declared stays: they declare only news. */
  lose (topic: string): void {
    if (!topic.startsWith(OVERRIDE_PREFIX)) return
    const symbol = parseTopicKey(topic).symbol!
    if (this.overrides.delete(symbol)) this.settle(symbol)
  }

  private settle (symbol: string): void {
    const override = this.overrides.get(symbol)
    const said = override ?? this.declared.get(symbol)
    const now = override?.removed === true ? undefined : said
    const before = this.known.get(symbol)
    if (before?.market !== undefined) {
      const left = this.markets.get(before.market)! - 1
      if (left === 0) this.markets.delete(before.market)
      else this.markets.set(before.market, left)
    }
    if (now?.market !== undefined) this.markets.set(now.market, (this.markets.get(now.market) ?? 0) + 1)
    if (now === undefined) this.known.delete(symbol)
    else this.known.set(symbol, now)
  }
}
