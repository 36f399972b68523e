import type { Membership } from './membership.js'
import { broadKeys, inSet, matchingKeys, type Selector } from './selector.js'
import type { Subscriber } from './subscriber.js'
import { sameView, type View, widerView } from './view.js'

/** Those who subscribe by one selector and want the same view of it. */
interface Group {
  readonly view: View
  readonly members: Set<Subscriber>
}

/** Who is to be sent which topic, and how. */
export class Audience {
  private readonly groups = new Map<string, Group[]>()
  /** By set, the keys of the selectors that name it. */
  private readonly bySet = new Map<string, Set<string>>()

  constructor (private readonly membership: Membership) {}

  attach (subscriber: Subscriber, selector: Selector): void {
    let groups = this.groups.get(selector.key)
    if (groups === undefined) {
      this.groups.set(selector.key, groups = [])
      if (selector.kind === 'set') this.setKeys(selector.symbol!).add(selector.key)
    }
    const group = groups.find(({ view }) => sameView(view, selector.view))
    if (group === undefined) groups.push({ view: selector.view, members: new Set([subscriber]) })
    else group.members.add(subscriber)
  }

  detach (subscriber: Subscriber, selector: Selector): void {
    const groups = this.groups.get(selector.key)
    const index = groups?.findIndex(({ view }) => sameView(view, selector.view)) ?? -1
    if (groups === undefined || index < 0) return
    const { members } = groups[index]!
    members.delete(subscriber)
    if (members.size > 0) return
    groups.splice(index, 1)
    if (groups.length > 0) return
    this.groups.delete(selector.key)
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
    return this.groups.size
  }

  everybody (): Set<Subscriber> {
    const all = new Set<Subscriber>()
    for (const groups of this.groups.values()) {
      for (const { members } of groups) for (const subscriber of members) all.add(subscriber)
    }
    return all
  }

  /** Those who subscribe to some sets, of whatever channel. */
  holdersOfSets (sets: readonly string[]): Subscriber[] {
    return sets.flatMap(set => [...this.bySet.get(set) ?? []]).flatMap(key => [...this.holders(key)])
  }

  /** The topics that a symbol has in the channels in which somebody subscribes to some sets. */
  topicsOfSets (sets: readonly string[], symbol: string): string[] {
    return [...new Set(sets.flatMap(set => [...this.bySet.get(set) ?? []].map(key => inSet(key, symbol))))]
  }

  /** Those who subscribe to a topic by more than its name. */
  broadHolders (topic: string): Set<Subscriber> {
    return new Set(broadKeys(topic, this.membership).flatMap(key => [...this.holders(key)]))
  }

  private * holders (key: string): Iterable<Subscriber> {
    for (const { members } of this.groups.get(key) ?? NO_GROUPS) yield * members
  }

  /** The groups that a topic concerns. */
  of (topic: string): TopicAudience {
    const found: Group[] = []
    for (const key of matchingKeys(topic, this.membership)) {
      const groups = this.groups.get(key)
      if (groups !== undefined) found.push(...groups)
    }
    return new TopicAudience(found)
  }
}

/** Who is sent one topic now: each subscriber once, whatever selectors overlap. */
class TopicAudience {
  constructor (private readonly groups: readonly Group[]) {}

  get empty (): boolean {
    return this.groups.length === 0
  }

  /** The views that somebody may have of the topic; some may turn out to have no member. */
  views (): View[] {
    const views: View[] = []
    const add = (view: View): void => { if (!views.some(other => sameView(other, view))) views.push(view) }
    for (const { view } of this.groups) add(view)
    if (views.length > 1) for (const one of [...views]) for (const other of [...views]) add(widerView(one, other))
    return views
  }

  /** Each subscriber whose view of the topic, all its selectors taken together, is this one. */
  * members (view: View): Iterable<Subscriber> {
    const [first] = this.groups
    const alike = this.groups.every(group => sameView(group.view, first!.view))
    if (first === undefined || (alike && !sameView(first.view, view))) return
    if (this.groups.length === 1) {
      yield * first.members
      return
    }
    for (const subscriber of this.everybody()) if (alike || sameView(this.view(subscriber), view)) yield subscriber
  }

  * everybody (): Iterable<Subscriber> {
    for (const [index, { members }] of this.groups.entries()) {
      for (const subscriber of members) if (!this.isBefore(index, subscriber)) yield subscriber
    }
  }

  has (subscriber: Subscriber, view: View): boolean {
    const own = this.groups.filter(({ members }) => members.has(subscriber))
    return own.length > 0 && sameView(own.map(group => group.view).reduce(widerView), view)
  }

  /** How somebody wants the topic who is sent it. */
  view (subscriber: Subscriber): View {
    return this.groups.filter(({ members }) => members.has(subscriber)).map(({ view }) => view).reduce(widerView)
  }

  private isBefore (index: number, subscriber: Subscriber): boolean {
    for (let earlier = 0; earlier < index; earlier++) if (this.groups[earlier]!.members.has(subscriber)) return true
    return false
  }
}

const NO_GROUPS: readonly Group[] = []
