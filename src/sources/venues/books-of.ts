import { Books } from '../../book/books.js'
import type { EventTaker, VenueBookOptions } from '../../book/venue-book.js'
import type { FeedListener, ParserOptions } from './venue.js'

/** Makes a parser's books, of the symbols that somebody asked for. The listener hears when one fails. */
export const booksOf = <Taker extends EventTaker>(
  symbolOf: NonNullable<ParserOptions['symbolOf']>,
  listener: Pick<FeedListener, 'bookFailed'> | undefined,
  make: (given: Pick<VenueBookOptions, 'symbol' | 'onFault'>, venueSymbol: string) => Taker
): Books<Taker> => new Books(venueSymbol => {
    const symbol = symbolOf(venueSymbol)
    if (symbol === undefined) return undefined
    return make({ symbol, onFault: () => { listener?.bookFailed(venueSymbol) } }, venueSymbol)
  })
