import type { Venue } from '../venue.js'
import { feed } from './feed.js'
import { instrument, pairOf, pairsOf } from './pairs.js'
import { BinanceParser } from './parser.js'

export const binance: Venue = {
  name: 'binance',
  hosts: ['stream.binance.com', 'api.binance.com'],
  channels: ['quotes', 'trades', 'book'],
  feed,
  createParser: options => new BinanceParser(options),
  venueSymbolOf: pairOf,
  instrument,
  instruments (subscribeFrame) {
    const { params } = JSON.parse(subscribeFrame) as { params?: unknown }
    return Array.isArray(params) ? pairsOf(params).map(instrument) : []
  },
  instrumentsOf ({ pathname, searchParams }) {
    // One stream is named in the path, several in the query.
    const [, single] = /^\/ws\/(.+)$/.exec(pathname) ?? []
    return pairsOf(searchParams.get('streams')?.split('/') ?? [single]).map(instrument)
  }
}
