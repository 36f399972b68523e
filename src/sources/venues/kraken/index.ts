import type { Venue } from '../venue.js'
import { feed } from './feed.js'
import { instrument, pairOf } from './pairs.js'
import { KrakenParser } from './parser.js'

export const kraken: Venue = {
  name: 'kraken',
  hosts: ['ws.kraken.com'],
  channels: ['quotes', 'trades', 'book'],
  feed,
  createParser: options => new KrakenParser(options),
  venueSymbolOf: pairOf,
  instrument,
  instruments (subscribeFrame) {
    const { pair, params } = JSON.parse(subscribeFrame) as { pair?: unknown, params?: { symbol?: unknown } }
    const pairs = pair ?? params?.symbol
    return Array.isArray(pairs) ? pairs.filter(pair => typeof pair === 'string').map(instrument) : []
  }
}
