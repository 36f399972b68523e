import type { Instrument } from '@tickwire/protocol'
import { Books } from '../../book/books.js'
import { parseExact } from '../../book/exact-json.js'
import { createKrakenChecksum } from '../../book/kraken/checksum.js'
import { krakenDepth, krakenV1, krakenV2 } from '../../book/kraken/frames.js'
import { VenueBook } from '../../book/venue-book.js'
import type { SourceMessage } from '../source.js'
import type { Venue, VenueParser } from '../venue.js'

/** The depth of a book for which a subscription names none. */
const DEFAULT_DEPTH = 10
/** Names of version 1 of the feed that others do not use. */
const OWN_NAMES: ReadonlyMap<string, string> = new Map([['XBT', 'BTC'], ['XDG', 'DOGE']])

/** Spells a pair as all sources do: `XBT/USD` is `BTC-USD`. */
const symbolOf = (pair: string): string =>
  pair.split('/').map(currency => OWN_NAMES.get(currency) ?? currency).join('-')

/** Reads books, in either version of the feed. */
class KrakenParser implements VenueParser {
  private readonly depths = new Map<string, number>()
  private readonly books = new Books(pair => new VenueBook({
    symbol: symbolOf(pair),
    depth: this.depths.get(pair) ?? DEFAULT_DEPTH,
    checksumOf: createKrakenChecksum()
  }))

  parse (payload: string): readonly SourceMessage[] {
    if (payload.startsWith('[')) return this.books.take(krakenV1(JSON.parse(payload)))
    const frame = parseExact(payload)
    const subscribed = krakenDepth(frame)
    if (subscribed !== undefined) this.depths.set(subscribed.symbol, subscribed.depth)
    return this.books.take(krakenV2(frame))
  }
}

function instruments (subscribeFrame: string): readonly Instrument[] {
  const { pair, params } = JSON.parse(subscribeFrame) as { pair?: unknown, params?: { symbol?: unknown } }
  const pairs = pair ?? params?.symbol
  if (!Array.isArray(pairs)) return []
  return pairs.filter(pair => typeof pair === 'string')
    .map(pair => ({ symbol: symbolOf(pair), market: 'KRAKEN', name: pair }))
}

export const kraken: Venue = {
  name: 'kraken',
  hosts: ['ws.kraken.com'],
  channels: ['book'],
  createParser: () => new KrakenParser(),
  instruments
}
