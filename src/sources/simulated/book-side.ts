/** A level of the book: price and size, both in units (prices.ts). */
export interface Level {
  readonly price: number
  size: number
}

/**
 * One side of a book, best level first. It remembers what has changed since {@link takeChanges} was last
 * called.
 */
export class BookSide {
  readonly levels: Level[] = []
  private readonly changed = new Map<number, number>()

  /** @param sign 1 for bids, where the highest price is best; -1 for asks */
  constructor (private readonly sign: 1 | -1) {}

  get best (): Level {
    return this.levels[0]!
  }

  /** Tells whether price `a` is better than price `b`. */
  better (a: number, b: number): boolean {
    return (a - b) * this.sign > 0
  }

  /**
   * Returns the best price if it is good enough: not better than `limit`, nor a tick worse, give or take
   * `slack`.
   */
  held (limit: number, slack: number, tick: number): number | undefined {
    const price = this.levels[0]?.price
    if (price === undefined) return undefined
    const worse = (limit - price) * this.sign
    return worse >= -slack && worse < tick + slack ? price : undefined
  }

  put (price: number, size: number): void {
    const { levels } = this
    let index = 0
    while (index < levels.length && this.better(levels[index]!.price, price)) index++
    const found = levels[index]
    if (found?.price === price) found.size = size
    else levels.splice(index, 0, { price, size })
    this.changed.set(price, size)
  }

  /** Takes from the best level, and removes it when nothing is left. */
  take (size: number): void {
    const { best } = this
    best.size -= size
    this.changed.set(best.price, best.size)
    if (best.size === 0) this.levels.shift()
  }

  /** Removes the levels whose prices are better than a limit. */
  removeBetter (limit: number): void {
    while (this.levels.length > 0 && this.better(this.best.price, limit)) this.remove(this.levels.shift()!)
  }

  /** Removes the levels beyond a number of them. */
  removeBeyond (count: number): void {
    while (this.levels.length > count) this.remove(this.levels.pop()!)
  }

  clear (): void {
    this.removeBeyond(0)
  }

  /** Returns the levels that have changed since the last call, best first; a removed level has size 0. */
  takeChanges (): Level[] {
    const changes = [...this.changed].map(([price, size]) => ({ price, size }))
    this.changed.clear()
    return changes.sort((a, b) => (b.price - a.price) * this.sign)
  }

  private remove ({ price }: Level): void {
    this.changed.set(price, 0)
  }
}
