import type { Instrument } from '@tickwire/protocol'
import { binanceDepth, binanceSnapshot } from '../../book/binance/frames.js'
import { JoinedBook } from '../../book/binance/joined-book.js'
import { Books } from '../../book/books.js'
import { isObject } from '../../book/levels.js'
import type { SourceMessage } from '../source.js'
import type { Venue, VenueParser } from '../venue.js'

type Fields = Readonly<Record<string, unknown>>

/** What things are paid with, the longest first: a pair has no mark between its currencies. */
const QUOTES = [
  'FDUSD', 'USDT', 'USDC', 'BUSD', 'TUSD', 'USDP', 'DOGE', 'BIDR', 'BTC', 'ETH', 'BNB', 'XRP', 'TRX', 'DAI',
  'EUR', 'GBP', 'TRY', 'BRL', 'AUD', 'JPY', 'RUB', 'UAH', 'ZAR', 'NGN', 'PLN', 'RON', 'ARS', 'MXN', 'CZK'
]

/** Spells a pair as all sources do: `BTCUSDT` is `BTC-USDT`. */
function symbolOf (pair: string): string {
  const quote = QUOTES.find(quote => pair.endsWith(quote) && pair.length > quote.length)
  return quote === undefined ? pair : `${pair.slice(0, -quote.length)}-${quote}`
}

/** Reads the spot market's streams `depth`, `bookTicker` and `aggTrade`, and the snapshots of its books. */
class BinanceParser implements VenueParser {
  private readonly books = new Books(pair => new JoinedBook({ symbol: symbolOf(pair) }))

  parse (payload: string): readonly SourceMessage[] {
    const frame: unknown = JSON.parse(payload)
    // A frame of several streams names its own.
    const event = isObject(frame) && 'stream' in frame ? frame['data'] : frame
    if (!isObject(event) || typeof event['s'] !== 'string') return []
    const symbol = symbolOf(event['s'])
    switch (event['e']) {
      case 'depthUpdate': return this.books.take(binanceDepth(event))
      case 'aggTrade': return [{ channel: 'trades', symbol, data: trade(symbol, event) }]
      // The only event without a type.
      case undefined: return 'B' in event && 'A' in event
        ? [{ channel: 'quotes', symbol, data: quote(symbol, event) }]
        : []
      default: return []
    }
  }

  answer ({ pathname, searchParams }: URL, body: string): readonly SourceMessage[] {
    const pair = searchParams.get('symbol')
    if (pathname !== '/api/v3/depth' || pair === null) return []
    return this.books.take([binanceSnapshot(pair, JSON.parse(body))])
  }
}

const quote = (symbol: string, { b, B, a, A }: Fields): Fields =>
  ({ symbol, bid: b, bid_size: B, ask: a, ask_size: A })

/** Writes milliseconds as an instant. What is none stays as it is, for the publisher to refuse. */
function time (milliseconds: unknown): unknown {
  const date = new Date(typeof milliseconds === 'number' ? milliseconds : NaN)
  return Number.isNaN(date.getTime()) ? milliseconds : date.toISOString()
}

const trade = (symbol: string, { p, q, T, m, a }: Fields): Fields => ({
  symbol,
  price: p,
  size: q,
  timestamp: time(T),
  exchange: 'binance',
  // Where the buyer's order was in the book, the seller took it.
  side: m === true ? 'sell' : 'buy',
  trade_id: Number.isSafeInteger(a) ? String(a) : a
})

const instrument = (pair: string): Instrument => ({ symbol: symbolOf(pair), market: 'BINANCE', name: pair })

/** Returns the pairs of streams: `btcusdt@depth@100ms`. */
const pairsOf = (streams: readonly unknown[]): string[] => {
  const names = streams.filter(stream => typeof stream === 'string')
  return [...new Set(names.map(stream => stream.split('@', 1)[0]!.toUpperCase()))].filter(pair => pair !== '')
}

export const binance: Venue = {
  name: 'binance',
  hosts: ['stream.binance.com', 'api.binance.com'],
  channels: ['quotes', 'trades', 'book'],
  createParser: () => new BinanceParser(),
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
