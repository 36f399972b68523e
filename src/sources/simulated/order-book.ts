import type { Book, BookLevel } from '@tickwire/protocol'
import { BookSide, type Level } from './book-side.js'
import type { Listing } from './instruments.js'
import { ceilToTick, floorToTick, formatUnits, tickAbove, tickBelow } from './prices.js'
import type { Random } from './random.js'

/** Levels of each side after the market makers have filled it up. */
const DEPTH = 10
/** Takers wait until each side has this many levels, and take fewer. */
const TAKEABLE_DEPTH = 5
/** The most levels that one taker takes. */
const MAX_SWEEP = 3
/** The most levels whose size the market makers change at a time. */
const MAX_RESIZED = 3
/** The largest gap between levels, in spreads. */
const MAX_GAP_SPREADS = 2
/**
 * Makers leave a price that is off by less than this part of a tick or a spread: a fair price that trembles
 * at the edge of a tick must not make the quote tremble.
 */
const SLACK = 0.3
/** Standard deviation of the logarithm of a level's size. */
const SIZE_SCATTER = 0.6

/** The price and size that a taker got from one level. */
export interface Fill {
  readonly price: number
  readonly size: number
}

/**
 * An instrument's book. Its makers follow a fair price; its takers take the best level. It is never crossed
 * or locked.
 */
export class OrderBook {
  readonly bids = new BookSide(1)
  readonly asks = new BookSide(-1)

  constructor (private readonly listing: Listing, private readonly random: Random) {}

  /** Whether both sides have enough levels for a taker. */
  get deep (): boolean {
    return Math.min(this.bids.levels.length, this.asks.levels.length) >= TAKEABLE_DEPTH
  }

  clear (): void {
    this.bids.clear()
    this.asks.clear()
  }

  /** Moves the makers' orders to a fair price, fills up what was taken, and changes some sizes. */
  requote (fair: number, spread: number): void {
    const { tick } = this.listing
    const slack = SLACK * Math.max(tick(fair), spread)
    const bid = this.bids.held(fair - spread / 2, slack, tick(fair)) ?? floorToTick(fair - spread / 2, tick)
    const ask = this.asks.held(fair + spread / 2, slack, tick(fair)) ?? ceilToTick(fair + spread / 2, tick)
    this.settle(this.bids, bid, spread)
    this.settle(this.asks, Math.max(ask, tickAbove(bid, tick)), spread)
  }

  /** Takes an amount, or what the first levels have. @returns the fills, best level first */
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

  /** Returns the levels that have changed since the last call of this method or of {@link snapshot}. */
  changes (): Book {
    return this.written(this.bids.takeChanges(), this.asks.takeChanges())
  }

  /** Returns all levels. */
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
      // Fills a hole that the price has left behind, too: otherwise a trade would leap over it.
      if (next === undefined || Math.abs(next.price - price) > furthest) {
        side.put(this.deeper(side, price, maxGap * random.next()), this.size(index))
      }
    }
    side.removeBeyond(DEPTH)
    for (let resized = random.integer(1, MAX_RESIZED); resized > 0; resized--) {
      const index = random.integer(0, DEPTH - 1)
      side.put(side.levels[index]!.price, this.size(index))
    }
  }

  /** Returns a price on the grid that is about `gap` deeper than another of its side. */
  private deeper (side: BookSide, price: number, gap: number): number {
    const { tick } = this.listing
    if (side === this.asks) return Math.max(tickAbove(price, tick), floorToTick(price + gap, tick))
    return Math.min(tickBelow(price, tick), ceilToTick(price - gap, tick))
  }

  /** Draws the size of a level. There is more behind the touch than at it. */
  private size (index: number): number {
    const scatter = Math.exp(SIZE_SCATTER * this.random.normal())
    return Math.max(1, Math.round(this.listing.levelSize * (0.5 + index * 0.15) * scatter))
  }

  private written (bids: readonly Level[], asks: readonly Level[]): Book {
    const { symbol, scale, sizeScale } = this.listing
    const write = ({ price, size }: Level): BookLevel =>
      [formatUnits(price, scale), size === 0 ? '0' : formatUnits(size, sizeScale)]
    return { symbol, bids: bids.map(write), asks: asks.map(write) }
  }
}
