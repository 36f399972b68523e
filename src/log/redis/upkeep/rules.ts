import {
  type ChannelDefinition, channelOfKey, type Channels, isCompacted
} from '@tickwire/protocol'
import type { Retention } from '../../log.js'

/** How long trim.lua keeps the messages of a topic, and what it keeps in any case: see there. */
interface TrimRule {
  readonly ageMs: number
  readonly keep: '' | 'folded' | 'unless-removed' | number
}

/** What each channel retains: its own bounds, or else those of the log. */
export class RetentionRules {
  /** The longest time that any channel retains its messages. */
  readonly longestMs: number
  private readonly bounds = new Map<string, { readonly messages: number, readonly ageMs: number }>()

  constructor (private readonly channels: Channels, private readonly retention: Retention) {
    const own = [...channels.values()].map(channel => channel.retention?.seconds ?? 0)
    this.longestMs = Math.max(retention.seconds, ...own) * 1000
  }

  /** Returns the bounds of a topic: a number of messages, and an age in milliseconds. */
  boundsOf (topic: string): { readonly messages: number, readonly ageMs: number } {
    const name = channelOfKey(topic)
    let bounds = this.bounds.get(name)
    if (bounds === undefined) {
      const { messages, seconds } = { ...this.retention, ...this.channels.get(name)?.retention }
      this.bounds.set(name, bounds = { messages, ageMs: Math.round(seconds * 1000) })
    }
    return bounds
  }

  /** Whether a topic keeps what its user has not acknowledged. */
  isAcknowledged (topic: string): boolean {
    return this.channels.get(channelOfKey(topic))?.acknowledged === true
  }

  /**
   * Retention never drops a state. If the last message is the state, that message is kept; if the state is
   * folded, only messages that a kept snapshot includes are dropped. It never drops what a user has not
   * acknowledged.
   * @param acknowledged the offset up to which the topic is acknowledged; see {@link isAcknowledged}
   */
  trimRule (topic: string, lastOffset: number, acknowledged = 0): TrimRule {
    const channel: Partial<ChannelDefinition> = this.channels.get(channelOfKey(topic)) ?? {}
    const { reduce } = channel
    const { ageMs } = this.boundsOf(topic)
    if (channel.acknowledged === true) return { ageMs, keep: acknowledged + 1 }
    if (isCompacted(channel)) return { ageMs, keep: 'unless-removed' }
    return { ageMs, keep: reduce === 'last' ? lastOffset : reduce === undefined ? '' : 'folded' }
  }
}
