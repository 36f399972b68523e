import {
  alerts, book, EVERY_SYMBOL, isSymbol, isSymbolSet, orders, quotes, strategy
} from '@tickwire/protocol'

/** A topic as clients of `/api/ws` write it (docs/compat.md). */
export interface HtsTopic {
  /** As the client wrote it. */
  readonly name: string
  readonly kind: 'price' | 'order' | 'strategy' | 'orderbook' | 'alert'
  /** The channel of the log in which its messages are. */
  readonly channel: string
  /** The symbol or the set in that channel; undefined if the channel has none. */
  readonly symbol: string | undefined
}

/** What an error says of topics. */
export const TOPIC_FORMS = 'price:{symbol}, price:*, price:@market/{market}, price:@sector/{sector}, ' +
  'order:*, order:{order_id}, strategy:{strategy_id}, orderbook:{symbol}, alert:*'

/** The longest id of an order. */
const MAX_ID_LENGTH = 128

/** Returns the topic that a text names; undefined if there is no such topic. */
export function parseTopic (name: string): HtsTopic | undefined {
  const mark = name.indexOf(':')
  if (mark < 0) return undefined
  const [kind, rest] = [name.slice(0, mark), name.slice(mark + 1)]
  const isEvery = rest === EVERY_SYMBOL
  switch (kind) {
    case 'price':
      if (!isSymbol(rest) && !isSymbolSet(rest)) return undefined
      return { name, kind, channel: quotes.name, symbol: rest }
    case 'order':
      if (rest === '' || rest.length > MAX_ID_LENGTH) return undefined
      return { name, kind, channel: orders.name, symbol: undefined }
    case 'strategy':
      return isEvery || isSymbol(rest) ? { name, kind, channel: strategy.name, symbol: rest } : undefined
    case 'orderbook':
      return isSymbol(rest) ? { name, kind, channel: book.name, symbol: rest } : undefined
    case 'alert':
      return isEvery ? { name, kind, channel: alerts.name, symbol: undefined } : undefined
    default:
      return undefined
  }
}

interface Asked {
  readonly topic: HtsTopic
  /** The key of the selector that brings its messages. */
  readonly selector: string
}

/** The topics that one connection has asked for. */
export class AskedTopics {
  private readonly asked = new Map<string, Asked>()
  /** By the key of a topic of the log, how the client spells its symbol. */
  private readonly spellings = new Map<string, readonly string[]>()
  private rooms = 0

  get size (): number {
    return this.asked.size
  }

  names (): Iterable<string> {
    return this.asked.keys()
  }

  has (name: string): boolean {
    return this.asked.has(name)
  }

  /** Whether some topic needs a selector. */
  needs (selector: string): boolean {
    for (const asked of this.asked.values()) if (asked.selector === selector) return true
    return false
  }

  add (topic: HtsTopic, selector: string): void {
    const { name, kind, symbol } = topic
    if (this.asked.has(name)) return
    this.asked.set(name, { topic, selector })
    if (symbol === undefined || kind === 'strategy') return
    if (isSymbolSet(symbol)) this.rooms++
    else this.spellings.set(selector, [...this.spellings.get(selector) ?? [], symbol])
  }

  /** Returns the key of the selector that brought its messages; undefined if the topic was not asked for. */
  remove (name: string): string | undefined {
    const found = this.asked.get(name)
    if (found === undefined) return undefined
    const { topic: { kind, symbol }, selector } = found
    this.asked.delete(name)
    if (symbol === undefined || kind === 'strategy') return selector
    if (isSymbolSet(symbol)) this.rooms--
    else {
      const left = this.spellings.get(selector)!.filter(spelling => spelling !== symbol)
      if (left.length === 0) this.spellings.delete(selector)
      else this.spellings.set(selector, left)
    }
    return selector
  }

  /**
   * Returns the symbols under which the client wants a topic of the log: as it spelled them. A room brings
   * an instrument's own spelling.
   * @param symbol the instrument's own
   */
  spelled (topic: string, symbol: string): readonly string[] {
    return this.spellings.get(topic) ?? (this.rooms > 0 ? [symbol] : NONE)
  }
}

const NONE: readonly string[] = []
