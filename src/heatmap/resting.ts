import type { Book } from '@tickwire/protocol'
import {
  isPrice, MAX_AMOUNT, type PriceStep, stepNear, stepSize, withoutZeros, writeFigure, writeSteps
} from './numbers.js'

/** The distance of levels, as a share of the price when the book was last whole. */
const STEP_SHARE = 0.0001
/** Levels further away than this share of the price are left out. */
const REACH = 0.05
/** Keeps a price on the grid from falling below its own line. */
const ROUNDING = 1e-9
/** Significant digits of a price. */
const PRICE_DIGITS = 12

/** The orders of one side at one level of the grid. */
interface Pile {
  /** Prices of the book that lie here, and the size that rests at them now. */
  prices: number
  size: number
  /** Size times milliseconds, up to `settledAt`. */
  sum: number
  settledAt: number
}

const SIDES = ['bids', 'asks'] as const

export interface RestingMap {
  readonly priceStep: string
  /** The middle of the best bid and the best ask; that of the one side, if the other is empty. */
  readonly currentPrice: string
  /** Lowest price first: price, bids, asks. */
  readonly levels: readonly [string, string, string][]
}

/**
 * How much size rested in a book by price, as the mean over the time since it was last asked. A book that
 * does not change has the same mean each time.
 */
export class RestingSizes {
  private readonly sizes = { bids: new Map<string, number>(), asks: new Map<string, number>() }
  private readonly piles = { bids: new Map<number, Pile>(), asks: new Map<number, Pile>() }
  private step: PriceStep | undefined
  private stepSize = 0
  private clock = 0
  private since = 0

  /** Takes a message of the channel `book`. @param time when the log took it, in milliseconds since 1970 */
  take (book: Book, replaces: boolean, time: number): void {
    this.clock = Math.max(this.clock, time)
    const isStale = book.stale === true
    if (replaces || isStale) this.clear()
    if (isStale) return
    if (this.step === undefined) this.begin(book)
    for (const side of SIDES) {
      for (const [price, size] of book[side]) {
        // What is no price of a market lies on no level, and must not begin the grid.
        if (!isPrice(Number(price))) continue
        this.set(side, withoutZeros(price), Math.min(MAX_AMOUNT, Number(size)))
      }
    }
  }

  /** Returns the mean since the last call, up to a time; undefined while nobody knows the book. */
  map (time: number): RestingMap | undefined {
    this.clock = Math.max(this.clock, time)
    const { step, clock, since } = this
    const price = middleOf(this.sizes)
    if (price === undefined || !isPrice(price) || step === undefined) return undefined
    const lasted = clock - since
    const levels = new Map<number, [number, number]>()
    for (const [place, side] of SIDES.entries()) {
      for (const [index, pile] of this.piles[side]) {
        this.settle(pile)
        const mean = lasted > 0 ? pile.sum / lasted : pile.size
        pile.sum = 0
        if (pile.prices === 0) this.piles[side].delete(index)
        if (Math.abs(index * this.stepSize / price - 1) > REACH) continue
        const level = levels.get(index) ?? [0, 0]
        level[place as 0 | 1] = mean
        levels.set(index, level)
      }
    }
    this.since = clock
    return {
      priceStep: writeSteps(1, step),
      currentPrice: writeFigure(price, PRICE_DIGITS),
      levels: [...levels].sort(([a], [b]) => a - b).map(([index, [bids, asks]]) =>
        [writeSteps(index, step), writeFigure(bids), writeFigure(asks)])
    }
  }

  private clear (): void {
    for (const side of SIDES) {
      this.sizes[side].clear()
      this.piles[side].clear()
    }
    this.step = undefined
    this.since = this.clock
  }

  private begin ({ bids, asks }: Book): void {
    const price = [...bids, ...asks].map(([text]) => Number(text)).find(isPrice)
    if (price === undefined) return
    this.step = stepNear(price, STEP_SHARE)
    this.stepSize = stepSize(this.step)
    this.since = this.clock
  }

  private set (side: typeof SIDES[number], price: string, size: number): void {
    const sizes = this.sizes[side]
    const before = sizes.get(price)
    if (size > 0) sizes.set(price, size)
    else if (before === undefined) return
    else sizes.delete(price)
    const index = Math.floor(Number(price) / this.stepSize + ROUNDING)
    let pile = this.piles[side].get(index)
    if (pile === undefined) {
      this.piles[side].set(index, pile = { prices: 0, size: 0, sum: 0, settledAt: this.clock })
    }
    this.settle(pile)
    pile.prices += (size > 0 ? 1 : 0) - (before === undefined ? 0 : 1)
    // Sums of fractions do not come back to zero by themselves.
    pile.size = pile.prices === 0 ? 0 : pile.size + size - (before ?? 0)
  }

  private settle (pile: Pile): void {
    pile.sum += pile.size * (this.clock - pile.settledAt)
    pile.settledAt = this.clock
  }
}

function middleOf (
  { bids, asks }: { readonly bids: ReadonlyMap<string, number>, readonly asks: ReadonlyMap<string, number> }
): number | undefined {
  let [bid, ask] = [-Infinity, Infinity]
  for (const price of bids.keys()) bid = Math.max(bid, Number(price))
  for (const price of asks.keys()) ask = Math.min(ask, Number(price))
  if (bid === -Infinity) return ask === Infinity ? undefined : ask
  return ask === Infinity ? bid : (bid + ask) / 2
}
