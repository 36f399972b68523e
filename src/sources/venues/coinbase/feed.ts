import type { Feed } from '../venue.js'

const CHANNELS = ['level2_batch', 'ticker', 'matches', 'heartbeat']

const message = (type: 'subscribe' | 'unsubscribe', product: string, channels: readonly string[]): string =>
  JSON.stringify({ type, product_ids: [product], channels })

/** The public feed of Coinbase Exchange (docs.cdp.coinbase.com, Exchange, WebSocket feed). */
export const feed: Feed = {
  url: 'wss://ws-feed.exchange.coinbase.com',
  symbolsPerConnection: 100,
  // The least of the limits that Coinbase names: 10 messages a second.
  pace: { messages: 10, perMs: 1000 },
  // Each product has a heartbeat each second.
  silenceMs: 10_000,
  // Coinbase refuses a whole message for one product that it does not have, so each has its own.
  subscribe: products => products.map(product => message('subscribe', product, CHANNELS)),
  resync: {
    messages: product => [
      message('unsubscribe', product, ['level2_batch']), message('subscribe', product, ['level2_batch'])
    ]
  },
  rest: {
    url: 'https://api.exchange.coinbase.com',
    budget: { weight: 5, perMs: 1000 },
    describe: () => [{ path: '/products', weight: 1 }]
  }
}
