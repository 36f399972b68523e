import type { Feed } from '../venue.js'

type Params = Readonly<Record<string, unknown>>

const message = (method: 'subscribe' | 'unsubscribe', params: Params): string =>
  JSON.stringify({ method, params })

/** Version 2 of the public feed (docs.kraken.com, Spot WebSocket v2). */
export const feed: Feed = {
  url: 'wss://ws.kraken.com/v2',
  symbolsPerConnection: 200,
  // Kraken names no limit for subscriptions; it limits connections, to about 150 in ten minutes.
  pace: { messages: 10, perMs: 1000 },
  // A heartbeat comes each second in which nothing else does.
  silenceMs: 10_000,
  depths: [10, 25, 100, 500, 1000],
  subscribe: (symbol, { depth, isAgain }) => [
    message('subscribe', { channel: 'ticker', symbol, event_trigger: 'bbo' }),
    message('subscribe', { channel: 'book', symbol, depth }),
    // The snapshot has the last 50 trades: those that came while there was no connection.
    message('subscribe', { channel: 'trade', symbol, snapshot: isAgain }),
    message('subscribe', { channel: 'instrument' })
  ],
  resync: {
    messages: (symbol, depth) => [
      message('unsubscribe', { channel: 'book', symbol: [symbol], depth }),
      message('subscribe', { channel: 'book', symbol: [symbol], depth })
    ]
  }
}
