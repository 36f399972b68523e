import { compareDecimals } from '@tickwire/protocol'

interface Levelled<Item> {
  readonly level: string
  readonly item: Item
}

/**
 * Items by a level, sorted so that the one which a value reaches first is at the end: a value that reaches
 * none costs one comparison.
 */
export class Levels<Item> {
  private readonly items: Array<Levelled<Item>> = []

  /** @param rising whether a rising value reaches the levels: the lowest is reached first */
  constructor (private readonly rising: boolean) {}

  get size (): number {
    return this.items.length
  }

  /** The level that is reached first. */
  get nextLevel (): string | undefined {
    return this.items.at(-1)?.level
  }

  takeNext (): Item {
    return this.items.pop()!.item
  }

  add (level: string, item: Item): void {
    this.items.splice(this.placeOf(level), 0, { level, item })
  }

  remove (level: string, item: Item): void {
    // Items of one level stand together, before the place of the next.
    let at = this.placeOf(level)
    while (at > 0 && compareDecimals(this.items[at - 1]!.level, level) === 0) {
      if (this.items[--at]!.item !== item) continue
      this.items.splice(at, 1)
      return
    }
  }

  /** Returns the index behind all items that are reached no earlier. */
  private placeOf (level: string): number {
    let low = 0
    let high = this.items.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = compareDecimals(this.items[middle]!.level, level)
      if (this.rising ? order >= 0 : order <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
