import type { Venue } from '../venue.js'
import { feed } from './feed.js'
import { CoinbaseParser } from './parser.js'
import { instrument, productOf } from './products.js'

export const coinbase: Venue = {
  name: 'coinbase',
  // Both are the same feed; the second is its name since Coinbase Pro became Coinbase Exchange.
  hosts: ['ws-feed.pro.coinbase.com', 'ws-feed.exchange.coinbase.com', 'api.exchange.coinbase.com'],
  channels: ['quotes', 'trades', 'book'],
  feed,
  createParser: options => new CoinbaseParser(options),
  venueSymbolOf: productOf,
  instrument,
  instruments (subscribeFrame) {
    const { product_ids: products } = JSON.parse(subscribeFrame) as { product_ids?: unknown }
    if (!Array.isArray(products)) return []
    return products.filter(product => typeof product === 'string').map(instrument)
  }
}
