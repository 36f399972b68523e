import { type Static, Type } from '@sinclair/typebox'
import {
  applyLevels, askOrder, bidOrder, reduceBook, type SideOrder, withStale
} from '../book-levels.js'
import { closed, type Cut, Decimal, defineChannel, SymbolName } from './channel.js'

export const BookLevel = Type.Tuple([Decimal({ description: 'price' }), Decimal({ description: 'size' })])
export type BookLevel = Static<typeof BookLevel>

export const Book = Type.Object({
  symbol: SymbolName(),
  bids: Type.Array(BookLevel, { description: 'best first' }),
  asks: Type.Array(BookLevel, { description: 'best first' }),
  checksum: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Integer()], {
    description: 'as the venue gave it'
  })),
  venue_sequence: Type.Optional(Type.Union([Type.Integer(), Type.String({ pattern: '^[0-9]{1,64}$' })], {
    title: 'an integer, or a string of digits',
    description: 'as the venue gave it: a string of digits if it may be more than a JavaScript number holds'
  })),
  stale: Type.Optional(Type.Literal(true, {
    description: 'a snapshot with empty sides: what the book holds is not known until its next snapshot'
  }))
}, closed)
export type Book = Static<typeof Book>

/**
 * Conflates two messages into one that holds the last size of each level; a removal keeps its size of zero.
 * If `pending` is a snapshot, the result is the snapshot after both.
 */
export function mergeBook (pending: Book, data: Book, replaces: boolean): Book {
  const bids: BookLevel[] = []
  const asks: BookLevel[] = []
  for (const { bids: levels } of [pending, data]) applyLevels(bids, levels, bidOrder, !replaces)
  for (const { asks: levels } of [pending, data]) applyLevels(asks, levels, askOrder, !replaces)
  return withStale({ ...data, bids, asks }, pending.stale === true)
}

/** Leaves out the checksum, because a venue's checksum is that of its whole book. */
function cutBook ({ checksum, ...state }: Book, depth: number): Book {
  return { ...state, bids: state.bids.slice(0, depth), asks: state.asks.slice(0, depth) }
}

/** Returns the levels that turn one side into another; a removed level has the size `0`. */
function changedLevels (
  before: readonly BookLevel[], after: readonly BookLevel[], order: SideOrder
): BookLevel[] {
  const changed: BookLevel[] = []
  let old = 0
  for (const level of after) {
    for (; old < before.length && order(before[old]![0], level[0]) < 0; old++) {
      changed.push([before[old]![0], '0'])
    }
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
  description: 'Order book: a snapshot of all levels, then the levels that changed; ' +
    'a size of zero removes a level.',
  keyed: true,
  access: 'public',
  schema: Book,
  reduce: reduceBook,
  merge: mergeBook,
  levels: bookLevels
})
