import { createHash } from 'node:crypto'

export type Level = readonly [price: string, size: string]
export interface Sides { readonly bids: readonly Level[], readonly asks: readonly Level[] }
export type SideName = keyof Sides

/** Prices are compared as numbers: those of a market differ by far more than a number's precision. */
const DIRECTION = { bids: -1, asks: 1 } as const

/**
 * The levels that a venue itself has, best first; shares nothing with src. A size of zero removes a level.
 */
export class TrueBook implements Sides {
  readonly bids: Level[] = []
  readonly asks: Level[] = []

  set (name: SideName, level: Level): void {
    const side = this[name]
    const at = this.indexOf(name, Number(level[0]))
    const isThere = at < side.length && Number(side[at]![0]) === Number(level[0])
    if (Number(level[1]) === 0) side.splice(at, isThere ? 1 : 0)
    else side.splice(at, isThere ? 1 : 0, level)
  }

  sizeAt (name: SideName, price: string): string | undefined {
    const level = this[name][this.indexOf(name, Number(price))]
    return level !== undefined && Number(level[0]) === Number(price) ? level[1] : undefined
  }

  replace (sides: Sides): void {
    for (const name of ['bids', 'asks'] as const) {
      this[name].length = 0
      for (const level of sides[name]) this.set(name, level)
    }
  }

  view (depth = Infinity): { bids: Level[], asks: Level[] } {
    return { bids: this.bids.slice(0, depth), asks: this.asks.slice(0, depth) }
  }

  private indexOf (name: SideName, price: number): number {
    const side = this[name]
    let [low, high] = [0, side.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((Number(side[middle]![0]) - price) * DIRECTION[name] < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A text that is the same for the same levels, down to the last digit of the best levels of each side. */
function keyOf ({ bids, asks }: Sides, depth = Infinity): string {
  const text = [bids, asks].map(side => side.slice(0, depth).map(level => level.join('@')).join(' ')).join('|')
  return createHash('sha1').update(text).digest('base64')
}

/** The states that a book has had, in order, to one depth. */
export class BookHistory {
  private readonly keys: string[] = []
  private readonly places = new Map<string, number[]>()

  constructor (readonly depth = Infinity) {}

  get last (): number {
    return this.keys.length - 1
  }

  /** Notes a state; one that changed nothing is the state before it. */
  note (book: Sides): void {
    const key = keyOf(book, this.depth)
    if (key === this.keys.at(-1)) return
    const places = this.places.get(key) ?? []
    this.places.set(key, places)
    places.push(this.keys.length)
    this.keys.push(key)
  }

  /** The first place at or after another where the book was so: a book may come back to a state. */
  placeOf (book: Sides, from = 0): number | undefined {
    return this.places.get(keyOf(book, this.depth))?.find(place => place >= from)
  }
}
