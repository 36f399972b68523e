import { type Static, Type } from '@sinclair/typebox'
import { compareDecimals, Decimal, isZeroDecimal } from '../decimal.js'
import { closed, type Cut, defineChannel, SymbolName } from './channel.js'

export const BookLevel = Type.Tuple([Decimal({ description: 'price' }), Decimal({ description: 'size' })])
export type BookLevel = Static<typeof BookLevel>

export const Book = Type.Object({
  symbol: SymbolName(),
  bids: Type.Array(BookLevel, { description: 'best first' }),
  asks: Type.Array(BookLevel, { description: 'best first' }),
  checksum: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Integer()], { description: 'as the venue gave it' })),
  venue_sequence: Type.Optional(Type.Integer())
}, closed)
export type Book = Static<typeof Book>

/** Negative where price `a` stands before price `b` on its side of the book. */
type SideOrder = (a: string, b: string) => number

export const bidOrder: SideOrder = (a, b) => compareDecimals(b, a)
export const askOrder: SideOrder = compareDecimals

/** @param removals whether a removed level stays, with its size of zero, for a message; a state drops it */
function applyLevel (side: BookLevel[], level: BookLevel, order: SideOrder, removals = false): void {
  const last = side.at(-1)
  // The levels of a snapshot come in order: each goes behind the one before, without a search.
  let low = last !== undefined && order(last[0], level[0]) < 0 ? side.length : 0
  let high = side.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (order(side[middle]![0], level[0]) < 0) low = middle + 1
    else high = middle
  }
  const found = low < side.length && order(side[low]![0], level[0]) === 0
  if (!removals && isZeroDecimal(level[1])) {
    if (found) side.splice(low, 1)
  } else {
    side.splice(low, found ? 1 : 0, level)
  }
}

/**
 * The book after `data`: an update sets the size of each of its levels, or removes a level whose size is zero in
 * any spelling; a snapshot replaces all. Checksum and venue sequence are those of the last message.
 *
 * A snapshot's levels are put in place one by one as well: the state must be in order, whatever was published.
 */
export function reduceBook (state: Book | undefined, data: Book, replaces: boolean): Book {
  const { bids, asks } = replaces || state === undefined ? { bids: [], asks: [] } : state
  for (const level of data.bids) applyLevel(bids, level, bidOrder)
  for (const level of data.asks) applyLevel(asks, level, askOrder)
  return { ...data, bids, asks }
}

/** Level changes joined: of each level the last size, a removal as its zero; upon a snapshot, the snapshot after them. */
export function mergeBook (pending: Book, data: Book, replaces: boolean): Book {
  const bids: BookLevel[] = []
  const asks: BookLevel[] = []
  for (const { bids: levels } of [pending, data]) for (const level of levels) applyLevel(bids, level, bidOrder, !replaces)
  for (const { asks: levels } of [pending, data]) for (const level of levels) applyLevel(asks, level, askOrder, !replaces)
  return { ...data, bids, asks }
}

/** A checksum is that of the venue's whole book: it says nothing about a part. */
function cutBook ({ checksum, ...state }: Book, depth: number): Book {
  return { ...state, bids: state.bids.slice(0, depth), asks: state.asks.slice(0, depth) }
}

function changedLevels (before: readonly BookLevel[], after: readonly BookLevel[], order: SideOrder): BookLevel[] {
  const changed: BookLevel[] = []
  let old = 0
  for (const level of after) {
    for (; old < before.length && order(before[old]![0], level[0]) < 0; old++) changed.push([before[old]![0], '0'])
    if (old < before.length && order(before[old]![0], level[0]) === 0) {
      const [price, size] = before[old++]!
      if (price !== level[0] || size !== level[1]) changed.push(level)
    } else changed.push(level)
  }
  for (; old < before.length; old++) changed.push([before[old]![0], '0'])
  return changed
}

export const bookLevels: Cut<Book> = {
  cut: cutBook,
  changes (before, after) {
    const bids = changedLevels(before.bids, after.bids, bidOrder)
    const asks = changedLevels(before.asks, after.asks, askOrder)
    return bids.length + asks.length === 0 ? undefined : { ...after, bids, asks }
  }
}

export const book = defineChannel({
  name: 'book',
  type: 'book',
  description: 'Order book: a snapshot of all levels, then the levels that changed; a size of zero removes a level.',
  keyed: true,
  access: 'public',
  schema: Book,
  reduce: reduceBook,
  merge: mergeBook,
  levels: bookLevels
})
