import { encodeMarks, ProtocolError } from '@tickwire/protocol'
import type { Hub } from '../../hub/hub.js'
import { Selection, type Selector, shardsOf } from '../../hub/audience/selector.js'
import type { Subscriber } from '../../hub/subscriber.js'
import { isWhole } from '../../hub/conflation/view.js'

/**
 * What one connection subscribes to, whether it is live or not, and the marks that its cursors need for it.
 */
export class Subscriptions {
  /** By the key of the selector. */
  private readonly subscribed = new Map<string, Selector>()
  /** The channels of which the client subscribes to something with `throttle_ms` or `depth`. */
  reducedChannels: ReadonlySet<string> = new Set()

  constructor (
    private readonly hub: Hub,
    private readonly subscriber: Subscriber,
    private readonly max: number
  ) {}

  get size (): number {
    return this.subscribed.size
  }

  get isEmpty (): boolean {
    return this.subscribed.size === 0
  }

  selectors (): Iterable<Selector> {
    return this.subscribed.values()
  }

  /** The shards that the node follows for these subscriptions, whether they are live or not. */
  get shards (): readonly number[] {
    return shardsOf(this.subscribed.values(), this.hub.log)
  }

  /** Whether a subscription has `throttle_ms` or `depth`. */
  get reduced (): boolean {
    for (const { view } of this.subscribed.values()) if (!isWhole(view)) return true
    return false
  }

  /** Checks that some selectors can be added. @throws ProtocolError `too_many_subscriptions` */
  checkRoom (selectors: readonly Selector[]): void {
    const added = selectors.filter(({ key }) => !this.subscribed.has(key)).length
    if (this.subscribed.size + added <= this.max) return
    throw new ProtocolError('too_many_subscriptions', `a connection has at most ${this.max} subscriptions`)
  }

  /**
   * Adds selectors, which are live from now on. If a selector is there twice, as a query may have it, the
   * last one counts. The caller must still keep those shards followed from which it read the state.
   */
  attach (selectors: readonly Selector[]): void {
    this.detach(selectors)
    for (const selector of new Map(selectors.map(selector => [selector.key, selector])).values()) {
      this.subscribed.set(selector.key, selector)
      this.hub.interest.retain(shardsOf([selector], this.hub.log))
      this.hub.attach(this.subscriber, selector)
      this.hub.demand.add(selector)
      this.hub.counters.subscriptions++
    }
    this.expect([])
  }

  /** Removes selectors. */
  detach (selectors: Iterable<Selector>): void {
    for (const { key } of [...selectors]) {
      const selector = this.subscribed.get(key)
      if (selector === undefined) continue
      this.subscribed.delete(key)
      this.hub.detach(this.subscriber, selector)
      this.hub.demand.remove(selector)
      this.hub.interest.release(shardsOf([selector], this.hub.log))
      this.hub.counters.subscriptions--
    }
    this.expect([])
  }

  /** Ends live delivery. The subscriptions stay. */
  leaveLive (): void {
    for (const selector of this.subscribed.values()) this.hub.detach(this.subscriber, selector)
  }

  /** Begins live delivery again, with the next window. */
  rejoinLive (): void {
    for (const selector of this.subscribed.values()) this.hub.attach(this.subscriber, selector)
  }

  /**
   * Notes which selectors a catch-up will attach. A cursor that goes out during the catch-up must already
   * have the marks for those that are throttled.
   */
  expect (coming: readonly Selector[]): void {
    const reduced = [...this.subscribed.values(), ...coming].filter(({ view }) => !isWhole(view))
    this.reducedChannels = new Set(reduced.map(({ channel }) => channel.name))
  }

  /** Returns the marks of a cursor, which stand behind its positions. */
  marks (lostTopics: number | undefined): string {
    return encodeMarks({ lostTopics, throttled: this.reducedChannels })
  }

  /** Returns everything subscribed to, with the selectors that come and without those that go. */
  selection (coming: readonly Selector[] = [], going: readonly Selector[] = []): Selection {
    const left = [...this.subscribed.values()].filter(({ key }) => !going.some(gone => gone.key === key))
    return new Selection([...left, ...coming], this.hub.membership)
  }
}
