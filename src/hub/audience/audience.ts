import type { Membership } from './membership.js'
import { broadKeys, inSet, matchingKeys, type Selector } from './selector.js'
import type { Subscriber } from '../subscriber.js'
import { sameView, type View, viewKey, widerView } from '../conflation/view.js'

/** The subscribers that have the same view of one selector. */
interface Group {
  readonly view: View
  readonly members: Set<Subscriber>
}

/** The subscribers of one selector: each of them is in one group. */
interface Subscribers {
  readonly groups: Map<number, Group>
  readonly views: Map<Subscriber, View>
}

/** Finds the subscribers of a topic, and the view that each of them has of it. */
export class Audience {
  private readonly selectors = new Map<string, Subscribers>()
  /** By set, the keys of the selectors that name it. */
  private readonly bySet = new Map<string, Set<string>>()
  /** By topic; emptied when a selector or a set changes. */
  private readonly found = new Map<string, TopicAudience>()
  private membershipSeen = 0

  constructor (private readonly membership: Membership) {}

  /** Adds a selector of a subscriber. If the subscriber has it already, it must have been detached. */
  attach (subscriber: Subscriber, selector: Selector): void {
    const { key, kind, view } = selector
    let subscribers = this.selectors.get(key)
    if (subscribers === undefined) {
      this.selectors.set(key, subscribers = { groups: new Map(), views: new Map() })
      this.found.clear()
      if (kind === 'set') this.setKeys(selector.symbol!).add(key)
    }
    subscribers.views.set(subscriber, view)
    const group = subscribers.groups.get(viewKey(view))
    if (group === undefined) subscribers.groups.set(viewKey(view), { view, members: new Set([subscriber]) })
    else group.members.add(subscriber)
  }

  detach (subscriber: Subscriber, selector: Selector): void {
    const subscribers = this.selectors.get(selector.key)
    const view = subscribers?.views.get(subscriber)
    if (subscribers === undefined || view === undefined) return
    subscribers.views.delete(subscriber)
    const { members } = subscribers.groups.get(viewKey(view))!
    members.delete(subscriber)
    if (members.size === 0) subscribers.groups.delete(viewKey(view))
    if (subscribers.views.size > 0) return
    this.selectors.delete(selector.key)
    this.found.clear()
    if (selector.kind !== 'set') return
    const keys = this.setKeys(selector.symbol!)
    keys.delete(selector.key)
    if (keys.size === 0) this.bySet.delete(selector.symbol!)
  }

  private setKeys (set: string): Set<string> {
    let keys = this.bySet.get(set)
    if (keys === undefined) this.bySet.set(set, keys = new Set())
    return keys
  }

  /** How many different selectors there are. */
  get size (): number {
    return this.selectors.size
  }

  everybody (): Set<Subscriber> {
    const all = new Set<Subscriber>()
    for (const { views } of this.selectors.values()) {
      for (const subscriber of views.keys()) all.add(subscriber)
    }
    return all
  }

  /** Returns the topics of a symbol, in all channels in which some sets have subscribers. */
  topicsOfSets (sets: readonly string[], symbol: string): string[] {
    return [...new Set(sets.flatMap(set => [...this.bySet.get(set) ?? []].map(key => inSet(key, symbol))))]
  }

  /** Returns the subscribers of a topic that have a selector for it other than its name. */
  broadSubscribers (topic: string): Set<Subscriber> {
    return new Set(broadKeys(topic, this.membership).flatMap(key => [...this.subscribersOf(key)]))
  }

  private subscribersOf (key: string): Iterable<Subscriber> {
    return this.selectors.get(key)?.views.keys() ?? NOBODY
  }

  /** Returns the audience of a topic. */
  of (topic: string): TopicAudience {
    if (this.membershipSeen !== this.membership.version) {
      this.membershipSeen = this.membership.version
      this.found.clear()
    }
    let found = this.found.get(topic)
    if (found === undefined) this.found.set(topic, found = this.find(topic))
    return found
  }

  private find (topic: string): TopicAudience {
    const found: Subscribers[] = []
    for (const key of matchingKeys(topic, this.membership)) {
      const subscribers = this.selectors.get(key)
      if (subscribers !== undefined) found.push(subscribers)
    }
    return found.length === 0 ? NO_AUDIENCE : new TopicAudience(found)
  }
}

/** The subscribers of one topic: each of them once, even if several of its selectors match. */
class TopicAudience {
  /** @param selectors the subscribers of each selector that matches; most topics have one such selector */
  constructor (private readonly selectors: readonly Subscribers[]) {}

  get empty (): boolean {
    return this.selectors.length === 0
  }

  /**
   * Returns the views that subscribers have of the topic. For most topics this looks at the groups alone, not
   * at their members.
   */
  views (): readonly View[] {
    if (this.selectors.length === 1) return Array.from(this.selectors[0]!.groups.values(), ({ view }) => view)
    const views = new Map<number, View>()
    const [most, ...others] = [...this.selectors].sort((a, b) => b.views.size - a.views.size)
    for (const selector of others) {
      for (const subscriber of selector.views.keys()) {
        const view = this.view(subscriber)!
        views.set(viewKey(view), view)
      }
    }
    for (const { view, members } of most?.groups.values() ?? []) {
      for (const subscriber of members) {
        if (others.some(other => other.views.has(subscriber))) continue
        views.set(viewKey(view), view)
        break
      }
    }
    return [...views.values()]
  }

  /** Returns the subscribers that have a view of the topic: the widest of the views of their selectors. */
  members (view: View): Iterable<Subscriber> {
    if (this.selectors.length > 1) return this.membersOfSome(view)
    return this.selectors[0]?.groups.get(viewKey(view))?.members ?? NOBODY
  }

  private * membersOfSome (view: View): Iterable<Subscriber> {
    // A subscriber's throttle is that of at least one of its selectors. Only the first of these yields it.
    const decides = (own: View | undefined): boolean => own?.throttleMs === view.throttleMs
    for (const [index, { groups }] of this.selectors.entries()) {
      const earlier = this.selectors.slice(0, index)
      for (const group of groups.values()) {
        if (!decides(group.view)) continue
        for (const subscriber of group.members) {
          const isYielded = earlier.some(({ views }) => decides(views.get(subscriber)))
          if (!isYielded && this.has(subscriber, view)) yield subscriber
        }
      }
    }
  }

  * everybody (): Iterable<Subscriber> {
    for (const [index, { views }] of this.selectors.entries()) {
      for (const subscriber of views.keys()) if (!this.isBefore(index, subscriber)) yield subscriber
    }
  }

  /** Whether a subscriber has a view of the topic: the widest of the views of its selectors. */
  has (subscriber: Subscriber, view: View): boolean {
    const own = this.view(subscriber)
    return own !== undefined && sameView(own, view)
  }

  /** Returns a subscriber's view of the topic; undefined if it does not subscribe to it. */
  view (subscriber: Subscriber): View | undefined {
    let view: View | undefined
    for (const { views } of this.selectors) {
      const own = views.get(subscriber)
      if (own !== undefined) view = view === undefined ? own : widerView(view, own)
    }
    return view
  }

  private isBefore (index: number, subscriber: Subscriber): boolean {
    for (let earlier = 0; earlier < index; earlier++) {
      if (this.selectors[earlier]!.views.has(subscriber)) return true
    }
    return false
  }
}

const NOBODY: readonly Subscriber[] = []
const NO_AUDIENCE = new TopicAudience([])
