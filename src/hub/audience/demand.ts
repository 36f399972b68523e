import type { Membership } from './membership.js'
import type { Selector } from './selector.js'

/** The topics that a source serves. */
export interface Offer {
  readonly channels: readonly string[]
  /** Whether the source serves a symbol. */
  readonly covers: (symbol: string) => boolean
}

/** A topic with a symbol that somebody wants. */
export interface DemandedTopic {
  readonly channel: string
  readonly symbol: string
  /** Whether the selector names the topic; otherwise the topic comes from a set or from `*`. */
  readonly isNamed: boolean
}

/** Says whether anybody wants the topics of an offer. */
export interface Watch {
  isWanted (): boolean
  /**
   * Returns the topics with a symbol that somebody subscribes to, or has since the last call: a poll comes
   * and goes. A topic comes once for each selector. Topics that somebody names come before those of sets, so
   * that a client of `*` takes no place from them.
   * @param every returns the symbols for which `*` stands
   */
  topics (every: () => Iterable<string>): readonly DemandedTopic[]
  end (): void
}

/** Selectors that came and have not been asked for yet; those beyond are forgotten if they go. */
const MAX_UNSEEN = 1000

interface Counted {
  readonly selector: Selector
  count: number
}

/**
 * Knows which offers have subscribers on this node, whether these are live, catching up or lagging; a poll
 * counts while it is being answered. Each watch costs one step for each selector that comes or goes; without
 * watches there is no cost.
 */
export class Demand {
  private readonly watches = new Set<OfferWatch>()

  constructor (private readonly membership: Membership) {}

  add (selector: Selector): void {
    for (const watch of this.watches) watch.add(selector)
  }

  remove (selector: Selector): void {
    for (const watch of this.watches) watch.remove(selector)
  }

  /**
   * Watches an offer; it counts the selectors that are added from now on.
   * @param onChange called in a microtask when the offer becomes wanted, and when it is no longer wanted
   */
  watch (offer: Offer, onChange: () => void): Watch {
    const watch = new OfferWatch(offer, this.membership, onChange, () => { this.watches.delete(watch) })
    this.watches.add(watch)
    return watch
  }
}

class OfferWatch implements Watch {
  /** By key, how many subscribers each selector has that names topics of the offer. */
  private readonly named = new Map<string, Counted>()
  /** The same for selectors of sets: whether the offer serves a set depends on its members, which change. */
  private readonly sets = new Map<string, Counted>()
  /** By key, the selectors that have come since {@link topics} was last called. */
  private readonly unseen = new Map<string, Selector>()
  private wasWanted = false
  private checkPending = false

  constructor (
    private readonly offer: Offer,
    private readonly membership: Membership,
    private readonly onChange: () => void,
    readonly end: () => void
  ) {}

  isWanted (): boolean {
    if (this.named.size > 0) return true
    for (const { selector } of this.sets.values()) {
      for (const symbol of this.membership.symbols(selector.symbol!)) {
        if (this.offer.covers(symbol)) return true
      }
    }
    return false
  }

  topics (every: () => Iterable<string>): readonly DemandedTopic[] {
    const selectors = new Map(this.unseen)
    this.unseen.clear()
    for (const counts of [this.named, this.sets]) {
      for (const [key, { selector }] of counts) selectors.set(key, selector)
    }
    const named: DemandedTopic[] = []
    const ofSets: DemandedTopic[] = []
    for (const { channel: { name: channel }, kind, symbol } of selectors.values()) {
      if (symbol === undefined) continue
      if (kind === 'topic') named.push({ channel, symbol, isNamed: true })
      else {
        const symbols = kind === 'every' ? every() : this.membership.symbols(symbol)
        for (const member of symbols) ofSets.push({ channel, symbol: member, isNamed: false })
      }
    }
    return named.concat(ofSets)
  }

  add (selector: Selector): void {
    const { channel, kind, symbol } = selector
    const { channels, covers } = this.offer
    if (!channels.includes(channel.name)) return
    const isNamed = kind === 'every' || symbol === undefined || covers(symbol)
    if (kind === 'set') count(this.sets, selector)
    else if (isNamed) count(this.named, selector)
    if ((kind === 'set' || isNamed) && this.unseen.size < MAX_UNSEEN) this.unseen.set(selector.key, selector)
    this.scheduleCheck()
  }

  remove ({ key }: Selector): void {
    const named = this.named.get(key)
    const ofSet = this.sets.get(key)
    if (named !== undefined) {
      if (--named.count === 0) this.named.delete(key)
    } else if (ofSet !== undefined && --ofSet.count === 0) this.sets.delete(key)
    this.scheduleCheck()
  }

  /**
   * Checks in a microtask: a selector that is replaced is removed and added in one turn, which is no change.
   */
  private scheduleCheck (): void {
    if (this.checkPending) return
    this.checkPending = true
    queueMicrotask(() => {
      this.checkPending = false
      const wanted = this.isWanted()
      if (wanted === this.wasWanted) return
      this.wasWanted = wanted
      this.onChange()
    })
  }
}

function count (counts: Map<string, Counted>, selector: Selector): void {
  const known = counts.get(selector.key)
  if (known === undefined) counts.set(selector.key, { selector, count: 1 })
  else known.count++
}
