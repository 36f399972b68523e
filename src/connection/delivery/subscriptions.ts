import { encodeMarks, ProtocolError } from '@tickwire/protocol'
import type { Hub } from '../../hub/hub.js'
import { Selection, type Selector, shardsOf } from '../../hub/audience/selector.js'
import type { Subscriber } from '../../hub/subscriber.js'
import { isWhole } from '../../hub/conflation/view.js'

/** What one connection subscribes to, live or not, and what its cursors must say of it. */
export class Subscriptions {
  /** By selector's key. */
  private readonly held = new Map<string, Selector>()
  /** The channels of which something is throttled or cut. */
  reducedChannels: ReadonlySet<string> = new Set()

  constructor (private readonly hub: Hub, private readonly subscriber: Subscriber, private readonly max: number) {}

  get size (): number {
    return this.held.size
  }

  get isEmpty (): boolean {
    return this.held.size === 0
  }

  selectors (): Iterable<Selector> {
    return this.held.values()
  }

  /** Those that the node follows for it, live or not. */
  get shards (): readonly number[] {
    return shardsOf(this.held.values(), this.hub.log)
  }

  /** Whether some topics are throttled or cut. */
  get reduced (): boolean {
    for (const { view } of this.held.values()) if (!isWhole(view)) return true
    return false
  }

  /** @throws ProtocolError `too_many_subscriptions` */
  checkRoom (selectors: readonly Selector[]): void {
    const added = selectors.filter(({ key }) => !this.held.has(key)).length
    if (this.held.size + added > this.max) throw new ProtocolError('too_many_subscriptions', `a connection has at most ${this.max} subscriptions`)
  }

  /** Of a selector that is given twice, as a query may do, the last one counts. Their shards must be held by whoever read the state. */
  attach (selectors: readonly Selector[]): void {
    this.detach(selectors)
    for (const selector of new Map(selectors.map(selector => [selector.key, selector])).values()) {
      this.held.set(selector.key, selector)
      this.hub.interest.retain(shardsOf([selector], this.hub.log))
      this.hub.attach(this.subscriber, selector)
      this.hub.demand.add(selector)
      this.hub.counters.subscriptions++
    }
    this.expect([])
  }

  detach (selectors: Iterable<Selector>): void {
    for (const { key } of [...selectors]) {
      const held = this.held.get(key)
      if (held === undefined) continue
      this.held.delete(key)
      this.hub.detach(this.subscriber, held)
      this.hub.demand.remove(held)
      this.hub.interest.release(shardsOf([held], this.hub.log))
      this.hub.counters.subscriptions--
    }
    this.expect([])
  }

  /** What is held stays held, but is not sent any more. */
  leave (): void {
    for (const selector of this.held.values()) this.hub.detach(this.subscriber, selector)
  }

  /** What is held is sent again, from the next window on. */
  join (): void {
    for (const selector of this.held.values()) this.hub.attach(this.subscriber, selector)
  }

  /** Says what a catch-up will attach: a cursor on its way must already count it as throttled where it is. */
  expect (coming: readonly Selector[]): void {
    const reduced = [...this.held.values(), ...coming].filter(({ view }) => !isWhole(view))
    this.reducedChannels = new Set(reduced.map(({ channel }) => channel.name))
  }

  /** What goes behind the positions of a cursor. */
  marks (lostTopics: number | undefined): string {
    return encodeMarks({ lostTopics, throttled: this.reducedChannels })
  }

  /** All that is held, with what is to come, without what is to go. */
  selection (coming: readonly Selector[] = [], going: readonly Selector[] = []): Selection {
    const left = [...this.held.values()].filter(({ key }) => !going.some(gone => gone.key === key))
    return new Selection([...left, ...coming], this.hub.membership)
  }
}
