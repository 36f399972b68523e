import type { Feed } from '../venue.js'

const STREAMS = ['depth@100ms', 'bookTicker', 'trade']
/** The streams of one message: a hundred pairs, which is far below the longest message. */
const STREAMS_PER_MESSAGE = 300
const HOUR_MS = 3_600_000

/** The streams of the spot market (developers.binance.com, Spot, WebSocket Streams and REST API). */
export const feed: Feed = {
  url: 'wss://stream.binance.com:9443/stream?timeUnit=MICROSECOND',
  // 1024 streams, three for each pair.
  symbolsPerConnection: 341,
  // Five messages a second, of which one is left for pongs, which the library sends by itself.
  pace: { messages: 4, perMs: 1000 },
  silenceMs: 45_000,
  // Where nothing is traded nothing comes; pings are not seen here. An answer shows that the feed is alive.
  keepAlive: { everyMs: 20_000, frame: JSON.stringify({ method: 'LIST_SUBSCRIPTIONS', id: 0 }) },
  maxAgeMs: 23 * HOUR_MS,
  subscribe (pairs) {
    const streams = pairs.flatMap(pair => STREAMS.map(stream => `${pair.toLowerCase()}@${stream}`))
    const messages: string[] = []
    for (let at = 0; at < streams.length; at += STREAMS_PER_MESSAGE) {
      const params = streams.slice(at, at + STREAMS_PER_MESSAGE)
      messages.push(JSON.stringify({ method: 'SUBSCRIBE', params, id: messages.length + 1 }))
    }
    return messages
  },
  resync: {
    request: pair => ({ path: `/api/v3/depth?symbol=${pair}&limit=1000`, weight: 50 })
  },
  rest: {
    url: 'https://api.binance.com',
    // 6000 a minute, of which a burst and a minute's refill together take 5000.
    budget: { weight: 2500, perMs: 60_000 },
    describe: pairs => pairs.map(pair => ({ path: `/api/v3/exchangeInfo?symbol=${pair}`, weight: 20 }))
  }
}
