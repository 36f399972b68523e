import type { Book, BookLevel } from '@tickwire/protocol'
import { BookSide, type Level } from './book-side.js'
import type { Listing } from './instruments.js'
import { ceilToTick, floorToTick, formatUnits, tickAbove, tickBelow } from './prices.js'
import type { Random } from './random.js'

/** Levels a side, after market makers have seen to it. */
const DEPTH = 10
/** Takers find at least so many levels, and take fewer. */
const TAKEABLE_DEPTH = 5
/** Levels that one taker takes at most. */
const MAX_SWEEP = 3
/** Levels whose size changes when market makers look at the book, at most. */
const MAX_RESIZED = 3
/** What levels are apart by at most, in spreads. */
const MAX_GAP_SPREADS = 2
/**
 * Makers leave a price that is off by less than this part of a tick or a spread: a fair price that trembles at the edge
 * of a tick must not make the quote do so.
 */
const SLACK = 0.3
/** How sizes of levels scatter: deviation of their logarithm. */
const SIZE_SCATTER = 0.6

/** What a taker got from one level. */
export interface Fill {
  readonly price: number
  readonly size: number
}

/** An instrument's book: its makers follow a fair price, its takers take the best level. Never crossed, nor locked. */
export class OrderBook {
  readonly bids = new BookSide(1)
  readonly asks = new BookSide(-1)

  constructor (private readonly listing: Listing, private readonly random: Random) {}

  /** Whether there is enough to take from. */
  get deep (): boolean {
    return Math.min(this.bids.levels.length, this.asks.levels.length) >= TAKEABLE_DEPTH
  }

  clear (): void {
    this.bids.clear()
    this.asks.clear()
  }

  /** Market makers move their orders about a fair price and fill up what was taken; sizes change. */
  requote (fair: number, spread: number): void {
    const { tick } = this.listing
    const slack = SLACK * Math.max(tick(fair), spread)
    const bid = this.bids.held(fair - spread / 2, slack, tick(fair)) ?? floorToTick(fair - spread / 2, tick)
    const ask = this.asks.held(fair + spread / 2, slack, tick(fair)) ?? ceilToTick(fair + spread / 2, tick)
    this.settle(this.bids, bid, spread)
    this.settle(this.asks, Math.max(ask, tickAbove(bid, tick)), spread)
  }

  /** A taker takes an amount, or what the first levels have. @returns what came of it, best level first */
  take (side: BookSide, amount: number): Fill[] {
    const fills: Fill[] = []
    for (let left = amount; left > 0 && fills.length < MAX_SWEEP;) {
      const { price, size } = side.best
      const taken = Math.min(size, left)
      side.take(taken)
      fills.push({ price, size: taken })
      left -= taken
    }
    return fills
  }

  /** The levels that have changed since the last call of this or of {@link snapshot}. */
  changes (): Book {
    return this.written(this.bids.takeChanges(), this.asks.takeChanges())
  }

  /** All levels. */
  snapshot (): Book {
    this.changes()
    return this.written(this.bids.levels, this.asks.levels)
  }

  private settle (side: BookSide, best: number, spread: number): void {
    const { random } = this
    side.removeBetter(best)
    if (side.levels[0]?.price !== best) side.put(best, this.size(0))
    const maxGap = 1 + spread * MAX_GAP_SPREADS
    const furthest = Math.max(maxGap, this.listing.tick(best))
    for (let index = 1; index < DEPTH; index++) {
      const { price } = side.levels[index - 1]!
      const next = side.levels[index]
      // A hole that the price has left behind is filled as well: else a trade would leap over it.
      if (next === undefined || Math.abs(next.price - price) > furthest) side.put(this.deeper(side, price, maxGap * random.next()), this.size(index))
    }
    side.removeBeyond(DEPTH)
    for (let resized = random.integer(1, MAX_RESIZED); resized > 0; resized--) {
      const index = random.integer(0, DEPTH - 1)
      side.put(side.levels[index]!.price, this.size(index))
    }
  }

  /** A price of the grid that is about `gap` behind another of its side. */
  private deeper (side: BookSide, price: number, gap: number): number {
    const { tick } = this.listing
    if (side === this.asks) return Math.max(tickAbove(price, tick), floorToTick(price + gap, tick))
    return Math.min(tickBelow(price, tick), ceilToTick(price - gap, tick))
  }

  /** There is more behind the touch than at it. */
  private size (index: number): number {
    return Math.max(1, Math.round(this.listing.levelSize * (0.5 + index * 0.15) * Math.exp(SIZE_SCATTER * this.random.normal())))
  }

  private written (bids: readonly Level[], asks: readonly Level[]): Book {
    const { symbol, scale, sizeScale } = this.listing
    const write = ({ price, size }: Level): BookLevel =>
      [formatUnits(price, scale), size === 0 ? '0' : formatUnits(size, sizeScale)]
    return { symbol, bids: bids.map(write), asks: asks.map(write) }
  }
}
