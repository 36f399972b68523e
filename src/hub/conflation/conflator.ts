import { type ChannelDefinition, parseTopicKey } from '@tickwire/protocol'
import type { Entry } from '../../log/log.js'
import { Clock, mergeEntries, type Pending } from './conflate.js'
import { mergedMessage } from './merged.js'
import type { HubParts } from '../hub-parts.js'
import { deliverTo, loseFor, type Subscriber } from '../subscriber.js'
import { TopicBytes } from '../topic-bytes.js'
import { isWhole, type View, viewKey } from './view.js'

/** The part of the hub that is needed here. */
type Live = Pick<HubParts, 'audience' | 'channels' | 'cutStates' | 'failures'>

/** Messages for those who want less than every one: joined while they wait, sent by the clock of their view. */
export class Conflator {
  /** By view's key. */
  private readonly clocks = new Map<number, Clock>()
  private timer: NodeJS.Timeout | undefined
  private timerDue = Infinity
  /** Counts the hub's windows. */
  private window = 0

  /** @param onDue called when something is due: to end the window, which sends it */
  constructor (private readonly hub: Live, private readonly onDue: () => void) {}

  beginWindow (): void {
    this.window++
  }

  /** A window of a topic, for those of its views that are not the whole. */
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

  /** What waits of a topic, and its state, are not known any more: who wants less than every message of it is sent a reset. */
  lose (topic: string): void {
    this.hub.cutStates.forget(topic)
    for (const clock of this.clocks.values()) clock.forget(topic)
    const audience = this.hub.audience.of(topic)
    for (const view of audience.views()) if (!isWhole(view)) loseFor(audience.members(view), topic)
  }

  private join (topic: string, channel: ChannelDefinition, entries: readonly Entry[], views: readonly View[]): void {
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

  /** Delivers what is due, and sees to it that the rest will be. */
  send (dirty: Subscriber[]): void {
    const now = performance.now()
    for (const clock of this.clocks.values()) {
      if (clock.due > now) continue
      for (const [topic, pending] of clock.tick(now)) this.deliver(clock.view, topic, pending, dirty)
    }
    this.arm(now)
  }

  /** Delivers what is pending of some topics, due or not. */
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
   * Delivers all that is pending for one subscriber: it stands where the hub stands then.
   * @param waits whether anything may be: looking costs a microsecond for each topic of which something is pending
   */
  settle (subscriber: Subscriber, waits: boolean): void {
    if (waits) this.deliverPending(subscriber)
    subscriber.settledAt = this.window
  }

  private deliverPending (subscriber: Subscriber): void {
    for (const { view, pending } of this.clocks.values()) {
      for (const [topic, waiting] of pending) {
        if (waiting.window <= subscriber.settledAt || !this.hub.audience.of(topic).has(subscriber, view)) continue
        deliverTo(subscriber, this.bytes(waiting))
      }
    }
  }

  /** Forgets what nobody waits for any more. */
  sweep (): void {
    for (const [key, clock] of this.clocks) {
      clock.keep(topic => !this.hub.audience.of(topic).members(clock.view)[Symbol.iterator]().next().done)
      // A clock that is made anew would not know when it last ticked: it must have been long enough ago.
      if (clock.expired(performance.now())) this.clocks.delete(key)
    }
  }

  close (): void {
    clearTimeout(this.timer)
  }

  private deliver (view: View, topic: string, pending: Pending, dirty: Subscriber[]): void {
    const bytes = this.bytes(pending)
    for (const subscriber of this.hub.audience.of(topic).members(view)) {
      // Who joined after the last of these messages has them in its snapshot.
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

  private arm (now: number): void {
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
