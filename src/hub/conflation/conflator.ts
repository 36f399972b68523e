import { type ChannelDefinition, parseTopicKey } from '@tickwire/protocol'
import type { Entry } from '../../log/log.js'
import { Clock, mergeEntries, type Pending } from './conflate.js'
import { mergedMessage } from './merged.js'
import type { HubParts } from '../hub-parts.js'
import { deliverTo, loseFor, type Subscriber } from '../subscriber.js'
import { TopicBytes } from '../topic-bytes.js'
import { isWhole, type View, viewKey } from './view.js'

/** The parts of the hub that conflation needs. */
type Live = Pick<HubParts, 'audience' | 'channels' | 'counters' | 'cutStates' | 'failures'>

/**
 * Conflates messages for subscribers that want less than every one: joins them while they wait, and sends
 * them by the clock of their view.
 */
export class Conflator {
  /** By view's key. */
  private readonly clocks = new Map<number, Clock>()
  private timer: NodeJS.Timeout | undefined
  private timerDue = Infinity
  /** Counts the hub's windows. */
  private window = 0

  /** @param onDue called when something is due: it ends the window, or calls {@link sendDue} */
  constructor (private readonly hub: Live, private readonly onDue: () => void) {}

  beginWindow (): void {
    this.window++
  }

  /**
   * Adds a window of a topic.
   * @param views those that the topic's subscribers have; the whole one is left out
   */
  add (topic: string, entries: readonly Entry[], views: readonly View[]): void {
    if (views.every(isWhole)) {
      this.hub.cutStates.forget(topic)
      return
    }
    const channel = this.hub.channels.get(parseTopicKey(topic).channel)
    if (channel === undefined) return
    try {
      this.join(topic, channel, entries, views)
    } catch (error) {
      this.hub.failures.note(topic, 'conflate', error)
      this.lose(topic)
    }
  }

  /**
   * Drops a topic's state and its waiting messages, because the state is not known any more: subscribers that
   * are sent less than every message of the topic get a reset.
   */
  lose (topic: string): void {
    this.hub.cutStates.forget(topic)
    for (const clock of this.clocks.values()) clock.forget(topic)
    const audience = this.hub.audience.of(topic)
    for (const view of audience.views()) if (!isWhole(view)) loseFor(audience.members(view), topic)
  }

  private join (
    topic: string, channel: ChannelDefinition, entries: readonly Entry[], views: readonly View[]
  ): void {
    const depths = new Set(views.map(({ depth }) => depth).filter(depth => depth > 0))
    if (depths.size === 0) this.hub.cutStates.forget(topic)
    const cuts = depths.size === 0 ? undefined : this.hub.cutStates.advance(topic, channel, entries, depths)
    let merged
    for (const view of views) {
      if (isWhole(view)) continue
      const clock = this.clock(view)
      if (view.depth > 0 && cuts === undefined) {
        clock.forget(topic)
        continue
      }
      const change = view.depth > 0 ? cuts?.get(view.depth) : merged ??= mergeEntries(channel, entries)
      if (change === undefined) clock.skip(topic, entries, this.window)
      else clock.add(channel, topic, change, this.window)
    }
  }

  /**
   * Delivers what is due, and sets the timer for the rest.
   * @param dirty takes the subscribers that must be flushed
   */
  sendDue (dirty: Subscriber[]): void {
    const now = performance.now()
    for (const clock of this.clocks.values()) {
      if (clock.due > now) continue
      for (const [topic, pending] of clock.tick(now)) this.deliver(clock.view, topic, pending, dirty)
    }
    this.setTimer(now)
  }

  /** Delivers what is pending of some topics, whether it is due or not. */
  sendAll (concerned: (topic: string) => boolean, dirty: Subscriber[]): void {
    for (const { view, pending } of this.clocks.values()) {
      for (const [topic, waiting] of pending) {
        if (!concerned(topic)) continue
        pending.delete(topic)
        this.deliver(view, topic, waiting, dirty)
      }
    }
  }

  /**
   * Delivers all that is pending for one subscriber, which then stands where the hub stands.
   * @param isReduced whether anything may be pending for it: looking costs a microsecond for each topic with
   * pending messages
   */
  settle (subscriber: Subscriber, isReduced: boolean): void {
    if (isReduced) this.deliverPending(subscriber)
    subscriber.settledAt = this.window
  }

  private deliverPending (subscriber: Subscriber): void {
    for (const { view, pending } of this.clocks.values()) {
      for (const [topic, waiting] of pending) {
        if (waiting.window <= subscriber.settledAt) continue
        if (!this.hub.audience.of(topic).has(subscriber, view)) continue
        deliverTo(subscriber, this.bytes(waiting))
      }
    }
  }

  /** Drops what is pending for nobody any more, and the clocks that have expired. */
  sweep (): void {
    for (const [key, clock] of this.clocks) {
      clock.keepOnly(topic => !this.hub.audience.of(topic).members(clock.view)[Symbol.iterator]().next().done)
      // A clock that replaces this one would not know when it last ticked: that must be long enough ago.
      if (clock.isExpired(performance.now())) this.clocks.delete(key)
    }
  }

  close (): void {
    clearTimeout(this.timer)
  }

  private deliver (view: View, topic: string, pending: Pending, dirty: Subscriber[]): void {
    const bytes = this.bytes(pending)
    for (const subscriber of this.hub.audience.of(topic).members(view)) {
      // A subscriber that joined after the last of these messages has them in its snapshot.
      if (pending.window <= subscriber.settledAt) continue
      if (deliverTo(subscriber, bytes)) dirty.push(subscriber)
    }
  }

  private bytes (pending: Pending): TopicBytes {
    return new TopicBytes(this.hub, pending.last.topic, writer => [writer.data(mergedMessage(pending))])
  }

  private clock (view: View): Clock {
    let clock = this.clocks.get(viewKey(view))
    if (clock === undefined) this.clocks.set(viewKey(view), clock = new Clock(view))
    return clock
  }

  private setTimer (now: number): void {
    let due = Infinity
    for (const clock of this.clocks.values()) due = Math.min(due, clock.due)
    if (due >= this.timerDue) return
    clearTimeout(this.timer)
    this.timerDue = due
    this.timer = setTimeout(() => {
      this.timerDue = Infinity
      this.onDue()
    }, Math.max(0, due - now)).unref()
  }
}
