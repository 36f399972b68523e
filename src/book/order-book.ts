import { applyLevels, askOrder, bidOrder, type BookLevel, compareDecimals } from '@tickwire/protocol'

/** Both sides of a book, or of a change to it. */
export interface Sides {
  readonly bids: readonly BookLevel[]
  readonly asks: readonly BookLevel[]
}

/**
 * The levels of one book, best first, with prices and sizes as the venue wrote them. It takes updates the way
 * the followers of the channel `book` do, by the same function, so that both hold the same levels.
 */
export class OrderBook implements Sides {
  readonly bids: BookLevel[] = []
  readonly asks: BookLevel[] = []

  /** @param depth how many levels of each side the venue keeps */
  constructor (private readonly depth = Infinity) {}

  /** Whether somebody would buy for as much as somebody sells for, or more. */
  get isCrossed (): boolean {
    const [bid, ask] = [this.bids[0], this.asks[0]]
    return bid !== undefined && ask !== undefined && compareDecimals(bid[0], ask[0]) >= 0
  }

  clear (): void {
    this.bids.length = 0
    this.asks.length = 0
  }

  /** Begins anew with the levels of a snapshot, in whatever order they come. */
  replace ({ bids, asks }: Sides): void {
    this.clear()
    applyLevels(this.bids, bids, bidOrder)
    applyLevels(this.asks, asks, askOrder)
    this.bids.splice(this.depth)
    this.asks.splice(this.depth)
  }

  /**
   * Sets the size of each level of an update; a size of zero removes the level, if it is there.
   * @returns what followers must apply to hold the same book: each level of the update once, best first, and
   *   removals of the levels that no longer fit the depth
   */
  apply ({ bids, asks }: Sides): Sides {
    return {
      bids: this.applySide(this.bids, bids, bidOrder),
      asks: this.applySide(this.asks, asks, askOrder)
    }
  }

  /** Returns the levels as they are now, which later updates do not change. */
  copy (): Sides {
    return { bids: this.bids.slice(), asks: this.asks.slice() }
  }

  private applySide (
    side: BookLevel[], levels: readonly BookLevel[], order: typeof bidOrder
  ): readonly BookLevel[] {
    applyLevels(side, levels, order)
    // Most updates have one level, and are in order as they are.
    if (levels.length < 2 && side.length <= this.depth) return levels
    const changes: BookLevel[] = []
    applyLevels(changes, levels, order, true)
    const cut = side.splice(this.depth).map(([price]): BookLevel => [price, '0'])
    applyLevels(changes, cut, order, true)
    return changes
  }
}
