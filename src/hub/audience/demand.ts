import type { Membership } from './membership.js'
import type { Selector } from './selector.js'

/** The topics that a source serves. */
export interface Offer {
  readonly channels: readonly string[]
  /** Whether the source serves a symbol. */
  covers (symbol: string): boolean
}

/** Says whether anybody wants the topics of an offer. */
export interface Watch {
  isWanted (): boolean
  end (): void
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
  private readonly named = new Map<string, number>()
  /** The same for selectors of sets: whether the offer serves a set depends on its members, which change. */
  private readonly sets = new Map<string, { readonly set: string, count: number }>()
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
    for (const { set } of this.sets.values()) {
      for (const symbol of this.membership.symbols(set)) if (this.offer.covers(symbol)) return true
    }
    return false
  }

  add ({ channel, kind, symbol, key }: Selector): void {
    if (!this.offer.channels.includes(channel.name)) return
    if (kind === 'set') {
      const known = this.sets.get(key)
      if (known === undefined) this.sets.set(key, { set: symbol!, count: 1 })
      else known.count++
    } else if (kind === 'every' || symbol === undefined || this.offer.covers(symbol)) {
      this.named.set(key, (this.named.get(key) ?? 0) + 1)
    }
    this.scheduleCheck()
  }

  remove ({ key }: Selector): void {
    const named = this.named.get(key)
    const ofSet = this.sets.get(key)
    if (named !== undefined) {
      if (named === 1) this.named.delete(key)
      else this.named.set(key, named - 1)
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
