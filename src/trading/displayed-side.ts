import { askOrder, bidOrder, type BookLevel, compareDecimals } from '@tickwire/protocol'
import { format, isTradablePrice, least, money, type Money, tradableSize, ZERO } from './money.js'
import type { OrderSide } from './order.js'
import type { TakenLevel } from './state.js'
import { isWithin } from './symbol-orders.js'

/** What a level still has to give. */
export interface Offer {
  readonly price: string
  readonly quantity: Money
}

/**
 * What one side of a displayed book still has to give. The size of a level is given out once over all users,
 * until its displayed size changes, or the level goes and comes back.
 */
export class DisplayedSide {
  private readonly order: typeof bidOrder
  private taken: readonly TakenLevel[]
  /** The first level that may have something left. */
  private at = 0

  /**
   * @param side of those who trade with it: buyers trade with the asks
   * @param before what is given out of it
   */
  constructor (
    private readonly side: OrderSide,
    private readonly levels: readonly BookLevel[],
    private readonly before: readonly TakenLevel[]
  ) {
    this.order = side === 'buy' ? askOrder : bidOrder
    this.taken = before
  }

  /** Returns what is given out now; the same array as before if nothing has changed. */
  get given (): readonly TakenLevel[] {
    return this.taken
  }

  get hasChanged (): boolean {
    return this.taken !== this.before
  }

  /** Returns the best level that has something left. */
  best (): Offer | undefined {
    for (; this.at < this.levels.length; this.at++) {
      const offer = this.offerOf(this.levels[this.at]!)
      if (offer !== undefined) return offer
    }
    return undefined
  }

  /** Returns what an order would get, best first. @param limit undefined: it takes any price */
  plan (quantity: Money, limit: string | undefined): Offer[] {
    const plan: Offer[] = []
    let left = quantity
    for (let at = this.at; at < this.levels.length && left.gt(0); at++) {
      const level = this.levels[at]!
      if (limit !== undefined && !isWithin(level[0], limit, this.side)) break
      const offer = this.offerOf(level)
      if (offer === undefined) continue
      const part = least(offer.quantity, left)
      plan.push({ price: offer.price, quantity: part })
      left = left.minus(part)
    }
    return plan
  }

  /** Gives out a part of a level. */
  take ({ price, quantity }: Offer): void {
    const [, size] = this.levels[placeOf(this.levels, price, this.order)]!
    const place = placeOf(this.taken, price, this.order)
    const given = this.givenAt(place, price, size)
    const level: TakenLevel = [price, size, format(given.plus(quantity))]
    this.taken = this.taken.toSpliced(place, isAt(this.taken, place, price) ? 1 : 0, level)
  }

  /** Forgets what was given out of levels that have gone, or whose displayed size has changed. */
  forgetChanged (): void {
    const kept = this.taken.filter(([price, size]) => {
      const place = placeOf(this.levels, price, this.order)
      return isAt(this.levels, place, price) && compareDecimals(this.levels[place]![1], size) === 0
    })
    if (kept.length < this.taken.length) this.taken = kept
  }

  private offerOf ([price, size]: BookLevel): Offer | undefined {
    if (!isTradablePrice(price)) return undefined
    const given = this.givenAt(placeOf(this.taken, price, this.order), price, size)
    const quantity = tradableSize(size).minus(given)
    return quantity.gt(0) ? { price, quantity } : undefined
  }

  private givenAt (place: number, price: string, size: string): Money {
    if (!isAt(this.taken, place, price)) return ZERO
    const [, displayed, given] = this.taken[place]!
    return compareDecimals(displayed, size) === 0 ? money(given) : ZERO
  }
}

/** A side of a book, or what is given out of one: the price is first. */
type Levels = ReadonlyArray<readonly [price: string, ...string[]]>

const isAt = (levels: Levels, place: number, price: string): boolean =>
  place < levels.length && compareDecimals(levels[place]![0], price) === 0

/** Returns the index of a price on a side of a book, or where it would stand. */
function placeOf (levels: Levels, price: string, order: typeof bidOrder): number {
  let low = 0
  let high = levels.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (order(levels[middle]![0], price) < 0) low = middle + 1
    else high = middle
  }
  return low
}
