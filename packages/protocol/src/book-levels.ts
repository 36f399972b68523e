import { compareDecimals, isZeroDecimal } from './decimal.js'

/** The levels of a book's side. Nothing here needs a validator, so that browsers can load it alone. */

/** A price and a size, as decimals. */
type Level = [price: string, size: string]

/** Returns a negative number if price `a` comes before price `b` on its side of the book. */
export type SideOrder = (a: string, b: string) => number

export const bidOrder: SideOrder = (a, b) => compareDecimals(b, a)
export const askOrder: SideOrder = compareDecimals

/**
 * Puts a level into a side of a book, or replaces or removes the level of the same price.
 * @param removals whether a removed level stays with its size of zero, as in a message; a state drops it
 * @param near the index at which the search begins
 * @returns the index after the level
 */
function applyLevel (
  side: Level[], level: Level, order: SideOrder, removals: boolean, near: number
): number {
  const at = findLevel(side, level[0], order, near)
  const found = at < side.length && order(side[at]![0], level[0]) === 0
  if (!removals && isZeroDecimal(level[1])) {
    if (found) side.splice(at, 1)
    return at
  }
  if (found) side[at] = level
  else side.splice(at, 0, level)
  return at + 1
}

/**
 * Returns the index of the first level that does not come before a price. Searches from `near` in growing
 * steps.
 */
function findLevel (side: readonly Level[], price: string, order: SideOrder, near: number): number {
  const before = (at: number): boolean => order(side[at]![0], price) < 0
  let [low, high] = [near, near]
  if (near < side.length && before(near)) {
    for (let step = 1; high < side.length && before(high); step *= 2) {
      [low, high] = [high + 1, high + step]
    }
  } else {
    for (let step = 1; low > 0 && !before(low - 1); step *= 2) [low, high] = [low - step, low - 1]
  }
  low = Math.max(0, low)
  high = Math.min(side.length, high)
  while (low < high) {
    const middle = (low + high) >>> 1
    if (before(middle)) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Applies the levels of a message to a side of a book, one after another; a size of zero removes its level.
 * @param removals whether a removed level stays with its size of zero, as in a message; a state drops it
 */
export function applyLevels (
  side: Level[], levels: readonly Level[], order: SideOrder, removals = false
): void {
  // Levels mostly come in order, so the search for each level begins after the one before.
  let near = 0
  for (const level of levels) near = applyLevel(side, level, order, removals, near)
}

interface Sides {
  readonly bids: Level[]
  readonly asks: Level[]
  readonly stale?: true
}

/** A stale book stays stale until a snapshot, whatever updates come meanwhile. */
export const withStale = <Book extends Sides> (book: Book, isStale: boolean): Book =>
  isStale ? { ...book, stale: true } : book

/**
 * Returns the book after `data`. An update sets the size of each of its levels, and removes a level if the
 * new size is zero in any spelling; a snapshot replaces the whole book. Checksum and venue sequence are those
 * of the last message.
 *
 * A publisher may send a snapshot's levels in any order. They too are put in one by one, so that the state is
 * in order.
 */
export function reduceBook<Book extends Sides> (
  state: Book | undefined, data: Book, replaces: boolean
): Book {
  const { bids, asks }: Sides = replaces || state === undefined ? { bids: [], asks: [] } : state
  applyLevels(bids, data.bids, bidOrder)
  applyLevels(asks, data.asks, askOrder)
  return withStale({ ...data, bids, asks }, !replaces && state?.stale === true)
}
