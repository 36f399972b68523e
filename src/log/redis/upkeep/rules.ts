import {
  type ChannelDefinition, channelOfKey, type Channels, isCompacted
} from '@tickwire/protocol'
import { IDEMPOTENCY_SECONDS, type Retention } from '../../log.js'

/** How long trim.lua keeps the messages of a topic, and what it keeps in any case: see there. */
interface TrimRule {
  readonly ageMs: number
  readonly keep: '' | 'folded' | 'unless-removed' | number
}

interface Bounds {
  readonly messages: number
  /** In milliseconds. */
  readonly ageMs: number
  /** For how many seconds the log remembers an idempotency key. */
  readonly keySeconds: number
}

/** What each channel retains: its own bounds, or else those of the log. */
export class RetentionRules {
  /** The longest time that any channel retains its messages. */
  readonly longestMs: number
  private readonly bounds = new Map<string, Bounds>()

  constructor (private readonly channels: Channels, private readonly retention: Retention) {
    const own = [...channels.values()].map(channel => channel.retention?.seconds ?? 0)
    this.longestMs = Math.max(retention.seconds, ...own) * 1000
  }

  /** Returns the bounds of a topic. */
  boundsOf (topic: string): Bounds {
    const name = channelOfKey(topic)
    let bounds = this.bounds.get(name)
    if (bounds === undefined) {
      const channel = this.channels.get(name)
      const { messages, seconds } = { ...this.retention, ...channel?.retention }
      const keySeconds = channel?.idempotencySeconds ?? IDEMPOTENCY_SECONDS
      this.bounds.set(name, bounds = { messages, ageMs: Math.round(seconds * 1000), keySeconds })
    }
    return bounds
  }

  /** Returns the bounds that append.lua gets for a topic. */
  appendBounds (topic: string): readonly [messages: number, keySeconds: number] {
    const { messages, keySeconds } = this.boundsOf(topic)
    return [messages, keySeconds]
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
