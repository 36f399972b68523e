import { type ChannelDefinition, EVERY_SYMBOL, isSymbolSet, parseTopicKey, type Topic, topicKey, topicScope } from '@tickwire/protocol'
import type { Log, TopicPosition } from '../../log/log.js'
import type { Directory } from '../shards/directory.js'
import type { Membership } from './membership.js'
import { isWhole, type View, WHOLE, widerView } from '../conflation/view.js'

/**
 * - `topic`: one topic;
 * - `every`: every topic of a channel (of a user);
 * - `set`: the topics of a channel whose symbols belong to a set.
 */
export type SelectorKind = 'topic' | 'every' | 'set'

/** What one entry of a subscription stands for, and how it is wanted. */
export interface Selector {
  readonly channel: ChannelDefinition
  /** As the client wrote it; undefined for a channel without symbols. */
  readonly symbol: string | undefined
  readonly kind: SelectorKind
  /** Names it among all selectors: of one topic, its key. */
  readonly key: string
  readonly view: View
  /** The newest messages to begin with. */
  readonly last: number
  /** The state first, whatever position the client has. */
  readonly fresh: boolean
}

export interface SelectorOptions {
  readonly view?: View
  readonly last?: number
  readonly fresh?: boolean
}

/** What lies between a scope and the set in it. No set can hold it, but a user's name may: the last one counts. */
const SET_MARK = '\n'
const everyKey = (scope: string): string => scope + SET_MARK + EVERY_SYMBOL
const setKey = (scope: string, set: string): string => scope + SET_MARK + set

/** The selector of a symbol or a symbol set in a channel. `user` is the owner of a private channel's topics. */
export function makeSelector (
  channel: ChannelDefinition, symbol: string | undefined, user: string | undefined, { view = WHOLE, last = 0, fresh = false }: SelectorOptions = {}
): Selector {
  const kind = symbol === EVERY_SYMBOL ? 'every' : symbol !== undefined && isSymbolSet(symbol) ? 'set' : 'topic'
  const topic: Topic = {
    channel: channel.name,
    ...(symbol === undefined || kind !== 'topic' ? {} : { symbol }),
    ...(channel.access === 'user' && user !== undefined ? { user } : {})
  }
  const name = topicKey(topic)
  const key = kind === 'topic' ? name : kind === 'every' ? everyKey(name) : setKey(name, symbol!)
  return { channel, symbol, kind, key, view, last, fresh }
}

/** The topic that a symbol has where a selector of a set is. */
export const inSet = (key: string, symbol: string): string =>
  topicKey({ ...parseTopicKey(key.slice(0, key.lastIndexOf(SET_MARK))), symbol })

/** The keys of the selectors that match a topic by more than its name. */
export function broadKeys (topic: string, membership: Membership): string[] {
  const scope = topicScope(topic)
  if (scope === topic) return []
  return [everyKey(scope), ...membership.sets(parseTopicKey(topic).symbol!).map(set => setKey(scope, set))]
}

/** The keys of all selectors that a topic can be matched by. */
export function matchingKeys (topic: string, membership: Membership): string[] {
  return [topic, ...broadKeys(topic, membership)]
}

/** Where a scope's topics come from in {@link Selection.existing}. */
const scopeOf = ({ key }: Selector): string => key.slice(0, key.lastIndexOf(SET_MARK))

/** The shards that hold the topics of some selectors, each once: all of them where one stands for many topics. */
export function shardsOf (selectors: Iterable<Selector>, log: Pick<Log, 'shards' | 'shardOf'>): readonly number[] {
  const shards = new Set<number>()
  for (const { kind, key } of selectors) {
    if (kind !== 'topic') return Array.from({ length: log.shards }, (_, shard) => shard)
    shards.add(log.shardOf(key))
  }
  return [...shards]
}

/** Some selectors taken together. */
export class Selection {
  private readonly byKey = new Map<string, Selector>()
  private readonly topics = new Set<string>()
  private readonly broad: Selector[] = []
  private readonly isReduced: boolean

  constructor (selectors: Iterable<Selector>, private readonly membership: Membership) {
    for (const selector of selectors) {
      this.byKey.set(selector.key, selector)
      if (selector.kind === 'topic') this.topics.add(selector.key)
    }
    for (const selector of this.byKey.values()) if (selector.kind !== 'topic') this.broad.push(selector)
    this.isReduced = [...this.byKey.values()].some(({ view }) => !isWhole(view))
  }

  has (topic: string): boolean {
    if (this.topics.has(topic)) return true
    return this.broad.length > 0 && matchingKeys(topic, this.membership).some(key => this.byKey.has(key))
  }

  /** Whether a topic is chosen by nothing but the sets that its symbol belongs to. */
  bySetOnly (topic: string): boolean {
    return this.matching(topic).every(({ kind }) => kind === 'set')
  }

  /** See {@link shardsOf}. */
  shards (log: Pick<Log, 'shards' | 'shardOf'>): readonly number[] {
    return shardsOf(this.byKey.values(), log)
  }

  /** Whether some topics are throttled or cut. */
  get reduced (): boolean {
    return this.isReduced
  }

  get hasSets (): boolean {
    return this.broad.some(({ kind }) => kind === 'set')
  }

  /** How a topic of the selection is wanted; the whole of one that has just left it with a set. */
  view (topic: string): View {
    const [first = WHOLE, ...others] = this.matching(topic).map(({ view }) => view)
    return others.reduce(widerView, first)
  }

  /** How many of a topic's newest messages are wanted first. */
  last (topic: string): number {
    return Math.max(0, ...this.matching(topic).map(({ last }) => last))
  }

  fresh (topic: string): boolean {
    return this.matching(topic).some(({ fresh }) => fresh)
  }

  /** The topics that were named one by one, whether the log has them or not. */
  named (): Iterable<string> {
    return this.topics
  }

  /** The topics of the selection that exist, each once. */
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

  private matching (topic: string): Selector[] {
    return matchingKeys(topic, this.membership).flatMap(key => this.byKey.get(key) ?? [])
  }
}
