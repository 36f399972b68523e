import {
  type ChannelDefinition, EVERY_SYMBOL, isSymbolSet, parseTopicKey, type Topic, topicKey, topicScope
} from '@tickwire/protocol'
import type { Log, TopicPosition } from '../../log/log.js'
import type { Directory } from '../shards/directory.js'
import type { Membership } from './membership.js'
import { isWhole, sameView, type View, WHOLE, widerView } from '../conflation/view.js'

/**
 * - `topic`: one topic;
 * - `every`: every topic of a channel (of a user);
 * - `set`: the topics of a channel whose symbols belong to a set.
 */
export type SelectorKind = 'topic' | 'every' | 'set'

/** The topics that one entry of a subscription stands for, and how the client wants them. */
export interface Selector {
  readonly channel: ChannelDefinition
  /** As the client wrote it; undefined for a channel without symbols. */
  readonly symbol: string | undefined
  readonly kind: SelectorKind
  /** Identifies it among all selectors; for a single topic it is the topic's key. */
  readonly key: string
  readonly view: View
  /** How many of the newest messages to begin with. */
  readonly last: number
  /** Whether to begin with the state, whatever position the client has. */
  readonly fresh: boolean
}

export interface SelectorOptions {
  readonly view?: View
  readonly last?: number
  readonly fresh?: boolean
}

/** Separates a scope from the set in it. A user's name may contain it, no set does: the last one counts. */
const SET_MARK = '\n'
const everyKey = (scope: string): string => scope + SET_MARK + EVERY_SYMBOL
const setKey = (scope: string, set: string): string => scope + SET_MARK + set

/**
 * Makes the selector of a symbol or a symbol set in a channel.
 * @param user the owner of the topics, if the channel is private
 */
export function makeSelector (
  channel: ChannelDefinition,
  symbol: string | undefined,
  user: string | undefined,
  { view = WHOLE, last = 0, fresh = false }: SelectorOptions = {}
): Selector {
  const kind = kindOf(symbol)
  const topic: Topic = {
    channel: channel.name,
    ...(symbol === undefined || kind !== 'topic' ? {} : { symbol }),
    ...(channel.access === 'user' && user !== undefined ? { user } : {})
  }
  const name = topicKey(topic)
  const key = kind === 'topic' ? name : kind === 'every' ? everyKey(name) : setKey(name, symbol!)
  return { channel, symbol, kind, key, view, last, fresh }
}

function kindOf (symbol: string | undefined): SelectorKind {
  if (symbol === EVERY_SYMBOL) return 'every'
  return symbol !== undefined && isSymbolSet(symbol) ? 'set' : 'topic'
}

/** Returns the topic of a symbol in the scope of a set's selector. */
export const inSet = (key: string, symbol: string): string =>
  topicKey({ ...parseTopicKey(key.slice(0, key.lastIndexOf(SET_MARK))), symbol })

/** Returns the key of the selector of all topics in a topic's scope; none if it is the only one there. */
function everyKeys (topic: string): string[] {
  const scope = topicScope(topic)
  return scope === topic ? [] : [everyKey(scope)]
}

/** Returns the keys of the selectors by which a topic is subscribed to together with others. */
export function broadKeys (topic: string, membership: Membership): string[] {
  const every = everyKeys(topic)
  if (every.length === 0) return every
  const scope = topicScope(topic)
  return [...every, ...membership.sets(parseTopicKey(topic).symbol!).map(set => setKey(scope, set))]
}

/** Returns the keys of all selectors that match a topic. */
export function matchingKeys (topic: string, membership: Membership): string[] {
  return [topic, ...broadKeys(topic, membership)]
}

/** Returns the scope of a selector that stands for many topics. */
const scopeOf = ({ key }: Selector): string => key.slice(0, key.lastIndexOf(SET_MARK))

/** Returns the shards of some selectors, each once: all shards if a selector stands for many topics. */
export function shardsOf (
  selectors: Iterable<Selector>, log: Pick<Log, 'shards' | 'shardOf'>
): readonly number[] {
  const shards = new Set<number>()
  for (const { kind, key } of selectors) {
    if (kind !== 'topic') return Array.from({ length: log.shards }, (_, shard) => shard)
    shards.add(log.shardOf(key))
  }
  return [...shards]
}

/** Whether two selectors want their topics in the same way. */
const isAlike = (one: Selector, other: Selector): boolean =>
  sameView(one.view, other.view) && one.last === other.last && one.fresh === other.fresh

/** The topics of several selectors together, and how each of them is wanted. */
export class Selection {
  private readonly byKey = new Map<string, Selector>()
  private readonly topics = new Set<string>()
  private readonly broad: Selector[] = []
  /** Whether some topics are throttled or cut. */
  readonly reduced: boolean
  readonly hasSets: boolean
  /** One of the selectors, if all want their topics alike, and no set lets topics enter and leave. */
  private readonly uniform: Selector | undefined

  constructor (selectors: Iterable<Selector>, private readonly membership: Membership) {
    for (const selector of selectors) {
      this.byKey.set(selector.key, selector)
      if (selector.kind === 'topic') this.topics.add(selector.key)
    }
    for (const selector of this.byKey.values()) if (selector.kind !== 'topic') this.broad.push(selector)
    const all = [...this.byKey.values()]
    this.reduced = all.some(({ view }) => !isWhole(view))
    this.hasSets = this.broad.some(({ kind }) => kind === 'set')
    const [first] = all
    this.uniform = !this.hasSets && all.every(other => isAlike(first!, other)) ? first : undefined
  }

  has (topic: string): boolean {
    if (this.topics.has(topic)) return true
    if (this.broad.length === 0) return false
    const keys = this.hasSets ? broadKeys(topic, this.membership) : everyKeys(topic)
    return keys.some(key => this.byKey.has(key))
  }

  /** Whether only selectors of sets match a topic. */
  bySetOnly (topic: string): boolean {
    return this.matching(topic).every(({ kind }) => kind === 'set')
  }

  /** See {@link shardsOf}. */
  shards (log: Pick<Log, 'shards' | 'shardOf'>): readonly number[] {
    return shardsOf(this.byKey.values(), log)
  }

  /**
   * Returns the view of a topic of the selection; {@link WHOLE} for one that has just left it with its set.
   */
  view (topic: string): View {
    if (this.uniform !== undefined) return this.uniform.view
    const [first = WHOLE, ...others] = this.matching(topic).map(({ view }) => view)
    return others.reduce(widerView, first)
  }

  /** Returns how many of a topic's newest messages to begin with. */
  last (topic: string): number {
    if (this.uniform !== undefined) return this.uniform.last
    return Math.max(0, ...this.matching(topic).map(({ last }) => last))
  }

  /** Whether to begin with a topic's state, whatever position the client has. */
  fresh (topic: string): boolean {
    if (this.uniform !== undefined) return this.uniform.fresh
    return this.matching(topic).some(({ fresh }) => fresh)
  }

  /** Returns the topics that have a selector of their own, whether they exist in the log or not. */
  named (): Iterable<string> {
    return this.topics
  }

  /** Returns the topics of the selection that exist, each once. */
  * existing (directory: Directory): Iterable<[string, TopicPosition]> {
    const seen = new Set<string>()
    for (const selector of this.broad) {
      for (const entry of this.topicsOf(selector, directory)) {
        if (seen.has(entry[0])) continue
        seen.add(entry[0])
        yield entry
      }
    }
    for (const topic of this.topics) {
      if (seen.has(topic)) continue
      const last = directory.last(topic)
      if (last !== undefined) yield [topic, last]
    }
  }

  private * topicsOf (selector: Selector, directory: Directory): Iterable<[string, TopicPosition]> {
    const topics = directory.topics(scopeOf(selector))
    if (selector.kind === 'every') {
      yield * topics
      return
    }
    for (const symbol of this.membership.symbols(selector.symbol!)) {
      const topic = inSet(selector.key, symbol)
      const last = topics.get(topic)
      if (last !== undefined) yield [topic, last]
    }
  }

  /** Returns the selectors that match a topic. */
  private matching (topic: string): Selector[] {
    return matchingKeys(topic, this.membership).flatMap(key => this.byKey.get(key) ?? [])
  }
}
