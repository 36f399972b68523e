import { channelOfKey } from '@tickwire/protocol'
import type { Entry } from '../log/log.js'
import type { InstrumentMoves } from './audience/instrument-moves.js'
import type { Conflator } from './conflation/conflator.js'
import { isWhole } from './conflation/view.js'
import type { HubParts } from './hub-parts.js'
import { isInstrumentTopic } from './shards/known-instruments.js'
import { resetReborn } from './shards/reborn.js'
import { deliverTo, loseFor, type Subscriber } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'

/** The entries of a window by topic, each topic's in order. */
export type Window = ReadonlyMap<string, readonly Entry[]>

/**
 * Delivers windows, topic by topic: every message to some subscribers, to the others by way of the conflator.
 */
export class FanOut {
  constructor (
    private readonly hub: HubParts,
    private readonly conflator: Conflator,
    private readonly moves: InstrumentMoves
  ) {}

  /**
   * Delivers a window.
   * @param covered by topic, the offset up to which subscribers have its entries already
   * @param dirty takes the subscribers that must be flushed
   * @returns how many messages were delivered as they are, over all subscribers
   */
  deliver (window: Window, covered: ReadonlyMap<string, number>, dirty: Subscriber[]): number {
    let messages = 0
    for (const [topic, all] of window) {
      const upTo = covered.get(topic)
      const entries = upTo === undefined ? all : all.filter(entry => entry.offset > upTo)
      try {
        messages += this.deliverTopic(topic, entries, dirty)
      } catch (error) {
        this.hub.failures.note(topic, 'deliver', error)
        this.conflator.lose(topic)
        loseFor(this.hub.audience.of(topic).everybody(), topic)
      }
    }
    return messages
  }

  /** Counts how long the oldest message of a window, and of each of its topics, took to the sockets. */
  countDelay (window: Window): void {
    const now = this.hub.shards.map(({ time }) => time.now())
    let longest = -Infinity
    for (const [topic, [first]] of window) {
      const delay = Math.max(0, now[first!.shard]! - first!.timestamp)
      longest = Math.max(longest, delay)
      if (!this.hub.audience.of(topic).empty) this.hub.counters.delay(channelOfKey(topic), delay)
    }
    if (longest !== -Infinity) this.hub.counters.onWindow(longest)
  }

  private deliverTopic (topic: string, entries: readonly Entry[], dirty: Subscriber[]): number {
    const { hub } = this
    if (entries.length === 0) return 0
    if (isInstrumentTopic(topic)) this.moves.enqueue(entries.at(-1)!)
    const audience = hub.audience.of(topic)
    if (audience.empty) {
      hub.cutStates.forget(topic)
      return 0
    }
    if (entries[0]!.previous === 0) resetReborn(hub, topic, dirty)
    const views = audience.views()
    this.conflator.add(topic, entries, views)
    const whole = views.find(isWhole)
    if (whole === undefined) return 0
    const bytes = new TopicBytes(hub, topic, writer => entries.map(entry => writer.data(entry)))
    let delivered = 0
    for (const subscriber of audience.members(whole)) {
      if (deliverTo(subscriber, bytes)) dirty.push(subscriber)
      delivered += entries.length
    }
    return delivered
  }
}
