import { randomUUID } from 'node:crypto'
import type { Feed } from '../venue.js'

/** The public feed of Upbit in Korea (docs.upbit.com, WebSocket; global-docs.upbit.com in English). */
export const feed: Feed = {
  url: 'wss://api.upbit.com/websocket/v1',
  symbolsPerConnection: 100,
  // Five messages a second, and a hundred a minute.
  pace: { messages: 5, perMs: 3000 },
  // Upbit ends a connection on which nothing is sent for 120 s, in either direction.
  silenceMs: 45_000,
  keepAlive: { everyMs: 20_000, frame: 'PING' },
  depths: [30, 15, 5, 1],
  subscribe: (codes, { depth }) => [JSON.stringify([
    { ticket: randomUUID() },
    { type: 'ticker', codes },
    { type: 'trade', codes, is_only_realtime: true },
    { type: 'orderbook', codes: codes.map(code => depth === undefined ? code : `${code}.${depth}`) },
    { format: 'DEFAULT' }
  ])],
  rest: {
    url: 'https://api.upbit.com',
    budget: { weight: 5, perMs: 1000 },
    describe: () => [{ path: '/v1/market/all', weight: 1 }]
  }
}
