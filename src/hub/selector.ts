import { type ChannelDefinition, EVERY_SYMBOL, type Topic, topicKey, topicScope } from '@tickwire/protocol'
import type { TopicPosition } from '../log/log.js'
import type { Directory } from './directory.js'

/** What one entry of a subscription stands for: one topic, or every topic of a channel (of a user). */
export interface Selector {
  readonly channel: ChannelDefinition
  /** As the client wrote it; undefined for a channel without symbols. */
  readonly symbol: string | undefined
  /** The topic's key, or the scope that all of its topics share. */
  readonly key: string
  readonly every: boolean
}

/** The selector of a symbol, or of `*`, in a channel. `user` is the owner of a private channel's topics. */
export function makeSelector (channel: ChannelDefinition, symbol: string | undefined, user: string | undefined): Selector {
  const every = symbol === EVERY_SYMBOL
  const topic: Topic = {
    channel: channel.name,
    ...(symbol === undefined || every ? {} : { symbol }),
    ...(channel.access === 'user' && user !== undefined ? { user } : {})
  }
  return { channel, symbol, key: topicKey(topic), every }
}

/** Some selectors taken together. */
export class Selection {
  private readonly topics = new Set<string>()
  private readonly scopes = new Set<string>()

  constructor (selectors: Iterable<Selector>) {
    for (const selector of selectors) (selector.every ? this.scopes : this.topics).add(selector.key)
  }

  has (topic: string): boolean {
    return this.topics.has(topic) || (this.scopes.size > 0 && this.scopes.has(topicScope(topic)))
  }

  get hasScopes (): boolean {
    return this.scopes.size > 0
  }

  /** The topics that were named one by one, whether the log has them or not. */
  named (): Iterable<string> {
    return this.topics
  }

  /** The topics of the selection that exist, each once. */
  * existing (directory: Directory): Iterable<[string, TopicPosition]> {
    for (const scope of this.scopes) yield * directory.topics(scope)
    for (const topic of this.topics) {
      if (this.scopes.has(topicScope(topic))) continue
      const last = directory.last(topic)
      if (last !== undefined) yield [topic, last]
    }
  }
}
