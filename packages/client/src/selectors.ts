import { isSet, type Message, type Reset, topicOf } from './channels.js'
import type { Rejected, SubscribeOptions } from './subscription.js'

/** The most symbols of one action (PROTOCOL.md, Client → server). */
const MAX_SYMBOLS = 1000

/** What the server is asked for with a selector. */
interface WireOptions {
  readonly throttle_ms?: number
  readonly depth?: number
  readonly last?: number
}

/** Who reads the topics of a selector. */
export interface TopicReader {
  readonly options: SubscribeOptions
  deliver: (event: Message | Reset) => void
  /** The server has answered for a selector. */
  answered: (selector: Selector, rejected?: Rejected) => void
  close: () => void
}

/** A selector of a channel, and who reads it. The server is asked for it once, however many read it. */
export class Selector {
  readonly readers = new Set<TopicReader>()
  /** Whether the kept cursor covers it, so that the next connection resumes it. */
  covered = false
  /** Whether this connection has confirmed it, so that the next cursor covers it. */
  confirmed = false
  /** Whether any connection has confirmed it: what comes before that is of a former subscription. */
  begun = false
  /** The options with which this connection was asked for it; undefined: it was not. */
  sent: string | undefined
  /** Of a set of instruments: those that belong to it, as far as the client knows. */
  members: ReadonlySet<string> | undefined
  /** Whether the client must still ask who belongs to it, before the server may send it. */
  isWaiting = false
  /** Why the server does not grant it. */
  rejected: Rejected | undefined

  constructor (readonly channel: string, readonly symbol: string | undefined) {}

  get isSet (): boolean {
    return isSet(this.symbol)
  }

  /** Whether it is a set of instruments that nobody has read yet. */
  get isNewSet (): boolean {
    return this.isSet && this.symbol !== '*' && this.readers.size === 0
  }

  /** The options that suit all its readers: the smallest throttle, the greatest depth, the longest past. */
  get options (): WireOptions {
    const all = [...this.readers].map(({ options }) => options)
    const every = (option: 'throttleMs' | 'depth'): number[] | undefined => {
      const values = all.map(options => options[option])
      return values.includes(undefined) ? undefined : values as number[]
    }
    const throttles = every('throttleMs')
    const depths = every('depth')
    const last = Math.max(...all.map(options => options.last ?? 0))
    return {
      ...(throttles === undefined ? {} : { throttle_ms: Math.min(...throttles) }),
      ...(depths === undefined ? {} : { depth: Math.max(...depths) }),
      ...(last > 0 ? { last } : {})
    }
  }
}

/** What stands in the name of a channel without symbols in a map of symbols. */
const NO_SYMBOL = ''

/** The selectors and the last messages of a channel. */
class Channel {
  readonly selectors = new Map<string, Selector>()
  readonly latest = new Map<string, Message>()
  /** The selectors that are sets. */
  sets: Selector[] = []

  /**
   * Returns the sets that hold a symbol. The server does not say for which of its selectors it sends a topic;
   * one that belongs to none that the client knows has entered one of them.
   */
  setsOf (symbol: string): readonly Selector[] {
    const holding = this.sets.filter(set => set.symbol === '*' || set.members?.has(symbol) !== false)
    return holding.length > 0 || this.selectors.has(symbol) ? holding : this.sets
  }

  /** Gives an event to everybody who reads its topic, once. */
  deliver (symbol: string | undefined, event: Message | Reset): void {
    const named = this.selectors.get(symbol ?? NO_SYMBOL)
    // A listener may subscribe and unsubscribe meanwhile; only who is there now gets the event.
    if (this.sets.length === 0) {
      if (named?.begun !== true) return
      for (const reader of [...named.readers]) reader.deliver(event)
      return
    }
    const readers = new Set(named?.readers)
    for (const set of this.setsOf(symbol!)) for (const reader of set.readers) readers.add(reader)
    for (const reader of readers) reader.deliver(event)
  }
}

/** What an application reads, and what the present connection was asked for. */
export class Selectors {
  readonly #channels = new Map<string, Channel>()

  /** Whether nobody reads anything. */
  get isEmpty (): boolean {
    for (const selector of this.all()) if (selector.readers.size > 0) return false
    return true
  }

  * all (): IterableIterator<Selector> {
    for (const channel of this.#channels.values()) yield * channel.selectors.values()
  }

  /** Returns the selectors of a channel, which are made where there are none. */
  select (channel: string, symbols: readonly string[] | undefined): Selector[] {
    let known = this.#channels.get(channel)
    if (known === undefined) this.#channels.set(channel, known = new Channel())
    const { selectors, sets } = known
    return (symbols ?? [undefined]).map(symbol => {
      let selector = selectors.get(symbol ?? NO_SYMBOL)
      if (selector === undefined) {
        selectors.set(symbol ?? NO_SYMBOL, selector = new Selector(channel, symbol))
        if (selector.isSet) sets.push(selector)
      }
      return selector
    })
  }

  remove ({ channel, symbol }: Selector): void {
    const known = this.#channels.get(channel)
    known?.selectors.delete(symbol ?? NO_SYMBOL)
    if (known !== undefined) known.sets = known.sets.filter(set => set.symbol !== symbol)
  }

  /** Returns the selectors that cover a topic, as far as the client can know it. */
  covering (channel: string, symbol: string | undefined): Selector[] {
    const known = this.#channels.get(channel)
    const named = known?.selectors.get(symbol ?? NO_SYMBOL)
    const sets = symbol === undefined ? [] : known?.setsOf(symbol) ?? []
    return [...(named === undefined ? [] : [named]), ...sets]
  }

  latest (channel: string, symbol: string | undefined): Message | undefined {
    return this.#channels.get(channel)?.latest.get(symbol ?? NO_SYMBOL)
  }

  /** Returns the last messages of the topics that a selector covers and that are held already. */
  held ({ channel, symbol, isSet }: Selector): Message[] {
    const known = this.#channels.get(channel)
    const latest = known?.latest
    if (isSet) {
      return [...latest?.values() ?? []].filter(message =>
        known?.setsOf(message.symbol!).some(set => set.symbol === symbol))
    }
    const message = latest?.get(symbol ?? NO_SYMBOL)
    return message === undefined ? [] : [message]
  }

  /** Keeps a message as the last one of its topic, and gives it to those who read the topic. */
  deliver (message: Message): void {
    const channel = this.#channels.get(message.channel)
    if (channel === undefined) return
    channel.latest.set(message.symbol ?? NO_SYMBOL, message)
    channel.deliver(message.symbol, message)
  }

  /** Forgets the last message of a topic, and tells those who read the topic why. */
  reset (reset: Reset): void {
    const channel = this.#channels.get(reset.channel)
    channel?.latest.delete(reset.symbol ?? NO_SYMBOL)
    channel?.deliver(reset.symbol, reset)
  }

  /** Forgets everything. @returns the topics that were held */
  clear (): string[] {
    const topics = [...this.#channels.values()].flatMap(({ latest }) => [...latest.values()].map(topicOf))
    this.#channels.clear()
    return topics
  }

  /** Forgets a topic in silence. */
  forget (channel: string, symbol: string | undefined): void {
    this.#channels.get(channel)?.latest.delete(symbol ?? NO_SYMBOL)
  }

  /** Returns the symbols of the topics that are held of a channel. */
  symbolsOf (channel: string): Array<string | undefined> {
    return [...this.#channels.get(channel)?.latest.values() ?? []].map(({ symbol }) => symbol)
  }
}

/** Selectors of one channel that go into one action, or one `subscribe=`, together. */
export interface Group {
  readonly channel: string
  readonly selectors: Selector[]
  readonly options: WireOptions
  /** Whether the kept cursor covers them. */
  readonly covered: boolean
}

/** Groups selectors by channel, options and cursor, as far as one action can hold them. */
export function groupsOf (selectors: Iterable<Selector>): Group[] {
  const open = new Map<string, Group>()
  const groups: Group[] = []
  for (const selector of selectors) {
    const { channel, options, covered } = selector
    const key = `${channel} ${JSON.stringify(options)} ${String(covered)}`
    let group = open.get(key)
    if (group === undefined || group.selectors.length === MAX_SYMBOLS) {
      open.set(key, group = { channel, selectors: [], options, covered })
      groups.push(group)
    }
    group.selectors.push(selector)
  }
  return groups
}

/** Returns the symbols of a group, as an action names them. */
export const symbolsOf = ({ selectors }: { readonly selectors: ReadonlyArray<Pick<Selector, 'symbol'>> }): {
  readonly symbols?: string[]
} =>
  selectors[0]!.symbol === undefined ? {} : { symbols: selectors.map(({ symbol }) => symbol!) }

/** Returns a group as a parameter of the stream's URL. @param hasCursor whether `after` stands beside it */
export function parameterOf (
  group: Omit<Group, 'selectors'> & Parameters<typeof symbolsOf>[0], hasCursor: boolean
): string {
  const { symbols } = symbolsOf(group)
  const names = symbols === undefined ? '' : `:${symbols.map(encodeURIComponent).join(',')}`
  const options = Object.entries(group.options).map(([name, value]) => `;${name}=${value}`).join('')
  const fresh = hasCursor && !group.covered ? ';fresh' : ''
  return `subscribe=${group.channel}${names}${options}${fresh}`
}
