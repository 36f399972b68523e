import type { Membership } from './membership.js'
import { broadKeys, inSet, matchingKeys, type Selector } from './selector.js'
import type { Subscriber } from '../subscriber.js'
import { sameView, type View, viewKey, widerView } from '../conflation/view.js'

/** Those who subscribe by one selector and want the same view of it. */
interface Group {
  readonly view: View
  readonly members: Set<Subscriber>
}

/** Those who subscribe by one selector: each is in one group. */
interface Holders {
  readonly groups: Map<number, Group>
  readonly views: Map<Subscriber, View>
}

/** Who is to be sent which topic, and how. */
export class Audience {
  private readonly selectors = new Map<string, Holders>()
  /** By set, the keys of the selectors that name it. */
  private readonly bySet = new Map<string, Set<string>>()
  /** By topic, as long as there are the same selectors and sets. */
  private readonly found = new Map<string, TopicAudience>()
  private membershipSeen = 0

  constructor (private readonly membership: Membership) {}

  /** A selector that the subscriber has already must have been detached. */
  attach (subscriber: Subscriber, selector: Selector): void {
    const { key, kind, view } = selector
    let holders = this.selectors.get(key)
    if (holders === undefined) {
      this.selectors.set(key, holders = { groups: new Map(), views: new Map() })
      this.found.clear()
      if (kind === 'set') this.setKeys(selector.symbol!).add(key)
    }
    holders.views.set(subscriber, view)
    const group = holders.groups.get(viewKey(view))
    if (group === undefined) holders.groups.set(viewKey(view), { view, members: new Set([subscriber]) })
    else group.members.add(subscriber)
  }

  detach (subscriber: Subscriber, selector: Selector): void {
    const holders = this.selectors.get(selector.key)
    const view = holders?.views.get(subscriber)
    if (holders === undefined || view === undefined) return
    holders.views.delete(subscriber)
    const { members } = holders.groups.get(viewKey(view))!
    members.delete(subscriber)
    if (members.size === 0) holders.groups.delete(viewKey(view))
    if (holders.views.size > 0) return
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

  /** How many different selectors somebody has. */
  get size (): number {
    return this.selectors.size
  }

  everybody (): Set<Subscriber> {
    const all = new Set<Subscriber>()
    for (const { views } of this.selectors.values()) for (const subscriber of views.keys()) all.add(subscriber)
    return all
  }

  /** The topics that a symbol has in the channels in which somebody subscribes to some sets. */
  topicsOfSets (sets: readonly string[], symbol: string): string[] {
    return [...new Set(sets.flatMap(set => [...this.bySet.get(set) ?? []].map(key => inSet(key, symbol))))]
  }

  /** Those who subscribe to a topic by more than its name. */
  broadHolders (topic: string): Set<Subscriber> {
    return new Set(broadKeys(topic, this.membership).flatMap(key => [...this.holders(key)]))
  }

  private holders (key: string): Iterable<Subscriber> {
    return this.selectors.get(key)?.views.keys() ?? NOBODY
  }

  /** Those whom a topic concerns. */
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
    const found: Holders[] = []
    for (const key of matchingKeys(topic, this.membership)) {
      const holders = this.selectors.get(key)
      if (holders !== undefined) found.push(holders)
    }
    return found.length === 0 ? NO_AUDIENCE : new TopicAudience(found)
  }
}

/** Who is sent one topic now: each subscriber once, whatever selectors overlap. */
class TopicAudience {
  /** @param selectors one for each selector that matches the topic; most topics have one */
  constructor (private readonly selectors: readonly Holders[]) {}

  get empty (): boolean {
    return this.selectors.length === 0
  }

  /** The views that somebody has of the topic. Mostly this looks at groups alone, not at all who are in them. */
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

  /** Each subscriber whose view of the topic, all its selectors taken together, is this one. */
  members (view: View): Iterable<Subscriber> {
    if (this.selectors.length > 1) return this.membersOfSome(view)
    return this.selectors[0]?.groups.get(viewKey(view))?.members ?? NOBODY
  }

  private * membersOfSome (view: View): Iterable<Subscriber> {
    // Its throttle is that of one of its selectors at least: the first of these counts.
    const decides = (own: View | undefined): boolean => own?.throttleMs === view.throttleMs
    for (const [index, { groups }] of this.selectors.entries()) {
      const earlier = this.selectors.slice(0, index)
      for (const group of groups.values()) {
        if (!decides(group.view)) continue
        for (const subscriber of group.members) {
          if (this.has(subscriber, view) && !earlier.some(({ views }) => decides(views.get(subscriber)))) yield subscriber
        }
      }
    }
  }

  * everybody (): Iterable<Subscriber> {
    for (const [index, { views }] of this.selectors.entries()) {
      for (const subscriber of views.keys()) if (!this.isBefore(index, subscriber)) yield subscriber
    }
  }

  has (subscriber: Subscriber, view: View): boolean {
    const own = this.view(subscriber)
    return own !== undefined && sameView(own, view)
  }

  /** How somebody wants the topic; undefined for one who is not sent it. */
  view (subscriber: Subscriber): View | undefined {
    let view: View | undefined
    for (const { views } of this.selectors) {
      const own = views.get(subscriber)
      if (own !== undefined) view = view === undefined ? own : widerView(view, own)
    }
    return view
  }

  private isBefore (index: number, subscriber: Subscriber): boolean {
    for (let earlier = 0; earlier < index; earlier++) if (this.selectors[earlier]!.views.has(subscriber)) return true
    return false
  }
}

const NOBODY: readonly Subscriber[] = []
const NO_AUDIENCE = new TopicAudience([])
