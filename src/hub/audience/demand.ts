import type { Membership } from './membership.js'
import type { Selector } from './selector.js'

/** What a source serves. */
export interface Offer {
  readonly channels: readonly string[]
  /** Whether a symbol belongs to it. */
  covers (symbol: string): boolean
}

/** Whether somebody wants what a source serves. */
export interface Watch {
  isWanted (): boolean
  end (): void
}

/**
 * Which offers somebody on this node subscribes to, whether live, catching up or reading too slowly; a poll counts while it is answered.
 * It costs something only where somebody watches: a step for each selector that comes or goes.
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

  /** Watches over what is added from now on. @param onChange called when it begins to be wanted and when it is not any more, in a microtask */
  watch (offer: Offer, onChange: () => void): Watch {
    const watch = new OfferWatch(offer, this.membership, onChange, () => { this.watches.delete(watch) })
    this.watches.add(watch)
    return watch
  }
}

class OfferWatch implements Watch {
  /** How many have each selector that names what is offered. */
  private readonly named = new Map<string, number>()
  /** The same of sets, of which it may offer something: their members change. */
  private readonly sets = new Map<string, { readonly set: string, count: number }>()
  private wasWanted = false
  private checkPending = false

  constructor (private readonly offer: Offer, private readonly membership: Membership, private readonly onChange: () => void, readonly end: () => void) {}

  isWanted (): boolean {
    if (this.named.size > 0) return true
    for (const { set } of this.sets.values()) for (const symbol of this.membership.symbols(set)) if (this.offer.covers(symbol)) return true
    return false
  }

  add ({ channel, kind, symbol, key }: Selector): void {
    if (!this.offer.channels.includes(channel.name)) return
    if (kind === 'set') {
      const held = this.sets.get(key)
      if (held === undefined) this.sets.set(key, { set: symbol!, count: 1 })
      else held.count++
    } else if (kind === 'every' || symbol === undefined || this.offer.covers(symbol)) this.named.set(key, (this.named.get(key) ?? 0) + 1)
    this.check()
  }

  remove ({ key }: Selector): void {
    const named = this.named.get(key)
    const held = this.sets.get(key)
    if (named !== undefined) {
      if (named === 1) this.named.delete(key)
      else this.named.set(key, named - 1)
    } else if (held !== undefined && --held.count === 0) this.sets.delete(key)
    this.check()
  }

  /** A selector that is given anew goes and comes in one turn. */
  private check (): void {
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
