import type { Book } from '@tickwire/protocol'
import type { Sides } from './order-book.js'

/** Why a book is not what its venue has. */
export interface Fault {
  /**
   * - `crossed`: the best bid is not below the best ask
   * - `gap`: the venue sent something that did not arrive
   * - `checksum`: the best levels are not those of which the venue made its checksum
   * - `malformed`: the venue sent something that is not an update
   * - `differs`: the best prices are not those that the venue says beside the book
   * - `cut`: the connection was lost
   */
  readonly reason: 'crossed' | 'gap' | 'checksum' | 'malformed' | 'differs' | 'cut'
  /** A sentence for the server's log. */
  readonly detail: string
}

/** What a frame of a venue says of one book, in the same form for all venues. */
export type BookEvent = Change | Malformed

export interface Change extends Sides {
  readonly kind: 'snapshot' | 'update'
  /** As the venue spells it. */
  readonly symbol: string
  /** As the venue wrote it. */
  readonly checksum?: string | number
  /** The venue's number of the first change in an update, where it numbers them. */
  readonly first?: number
  /** The venue's number of the last change in a snapshot or an update. */
  readonly last?: number
}

interface Malformed {
  readonly kind: 'malformed'
  readonly symbol: string
  readonly detail: string
}

/** A message of the channel `book`, as sources hand it over. */
export interface BookMessage {
  readonly channel: 'book'
  readonly symbol: string
  readonly snapshot?: true
  readonly data: Book
  /** Why the book is stale; for the server, and never sent. */
  readonly fault?: Fault
}

/** The message that makes a book stale (PROTOCOL.md, Data). */
export const staleBook = (symbol: string): BookMessage =>
  ({ channel: 'book', symbol, snapshot: true, data: { symbol, bids: [], asks: [], stale: true } })
