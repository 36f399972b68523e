import { crc32 } from 'node:zlib'
import type { Market, Step, VenueTrade } from '../market.js'
import type { Level, Sides, TrueBook } from '../true-book.js'
import {
  type Exchange, instant, isObject, now, parse, type Peer, type Session, texts, type VenueProtocol
} from '../venue-protocol.js'

/**
 * Version 2 of Kraken's feed, after https://docs.kraken.com/api/docs/websocket-v2/: channels book, trade,
 * ticker and instrument. One answer comes for each symbol of a request.
 */

const DEPTHS = [10, 25, 100, 500, 1000]
const CHANNELS = ['book', 'trade', 'ticker', 'instrument']
/** How many trades a subscription begins with that asks for a snapshot. */
const LAST_TRADES = 50

interface Followed { readonly depth: number, view: Sides }

const digitsOf = (decimal: string): string => decimal.replace('.', '').replace(/^0+/, '')

/** Of the ten best levels of a book: the digits of asks, then bids, without point and zeros before them. */
export function krakenChecksum ({ bids, asks }: Sides): number {
  const digits = (levels: readonly Level[]): string => levels.slice(0, 10)
    .map(([price, size]) => digitsOf(price) + digitsOf(size)).join('')
  return crc32(digits(asks) + digits(bids))
}

const written = (levels: readonly Level[]): string =>
  `[${levels.map(([price, qty]) => `{"price":${price},"qty":${qty}}`).join(',')}]`

/** What a follower of a depth is told: levels that others push out of its view are not taken away. */
function changes (before: Sides, after: Sides, book: TrueBook): Sides {
  const side = (name: 'bids' | 'asks'): Level[] => {
    const old = new Map(before[name])
    const fresh = new Map(after[name])
    const gone = before[name].filter(([price]) => !fresh.has(price) && book.sizeAt(name, price) === undefined)
    return [
      ...gone.map(([price, size]): Level => [price, size.replace(/\d/g, '0')]),
      ...after[name].filter(([price, size]) => old.get(price) !== size)
    ]
  }
  return { bids: side('bids'), asks: side('asks') }
}

class KrakenSession implements Session {
  private readonly books = new Map<string, Followed>()
  private readonly trades = new Set<string>()
  /** With what makes a ticker come. */
  private readonly tickers = new Map<string, 'bbo' | 'trades'>()
  private readonly lastTop = new Map<string, string>()

  constructor (private readonly peer: Peer, private readonly exchange: Exchange) {
    peer.send('{"channel":"status","data":[{"api_version":"v2","connection_id":17843232920108168701,' +
      '"system":"online","version":"2.0.10"}],"type":"update"}')
  }

  receive (text: string): void {
    const request = parse(text)
    const { method, params, req_id: id } = isObject(request) ? request : {}
    const own = id === undefined ? '' : `"req_id":${JSON.stringify(id)},`
    const times = `"time_in":"${instant(now())}","time_out":"${instant(now())}"`
    if (method === 'ping') return this.peer.send(`{"method":"pong",${own}${times}}`)
    const isKnown = method === 'subscribe' || method === 'unsubscribe'
    if (!isKnown || !isObject(params) || !CHANNELS.includes(String(params['channel']))) {
      return this.peer.send(`{"error":"Unsupported event","method":"${String(method)}",${own}"success":false,${times}}`)
    }
    const channel = String(params['channel'])
    if (channel === 'instrument') {
      this.peer.send(`{"method":"${method}",${own}"result":{"channel":"instrument","snapshot":true},"success":true,${times}}`)
      if (method === 'subscribe') this.instruments()
      return
    }
    for (const pair of texts(params['symbol'])) {
      const error = this.take(method, channel, pair, params)
      const depth = channel === 'book' ? `"depth":${this.depthOf(params)},` : ''
      this.peer.send(error === undefined
        ? `{"method":"${method}",${own}"result":{"channel":"${channel}",${depth}"snapshot":true,"symbol":"${pair}"},"success":true,${times}}`
        : `{"error":"${error}","method":"${method}",${own}"success":false,"symbol":"${pair}",${times}}`)
      if (error === undefined && method === 'subscribe') this.begin(channel, pair, params)
    }
  }

  step (pair: string, { book, trades }: Market, { trades: fresh }: Step): void {
    const followed = this.books.get(pair)
    if (followed !== undefined) {
      const view = book.view(followed.depth)
      const changed = changes(followed.view, view, book)
      followed.view = view
      if (changed.bids.length + changed.asks.length > 0) this.book('update', pair, changed, view)
    }
    if (fresh.length > 0 && this.trades.has(pair)) this.sendTrades('update', pair, fresh)
    const top = JSON.stringify([book.bids[0], book.asks[0]])
    const isDue = this.tickers.get(pair) === 'bbo' ? top !== this.lastTop.get(pair) : fresh.length > 0
    if (this.tickers.has(pair) && isDue) this.ticker('update', pair, book, trades.at(-1))
    this.lastTop.set(pair, top)
  }

  beat (): void {
    if (this.books.size + this.trades.size + this.tickers.size > 0) this.peer.send('{"channel":"heartbeat"}')
  }

  /** @returns why it is refused */
  private take (
    method: string, channel: string, pair: string, params: Readonly<Record<string, unknown>>
  ): string | undefined {
    if (!this.exchange.markets.has(pair)) return `Currency pair not supported ${pair}`
    const followed = channel === 'book' ? this.books : channel === 'trade' ? this.trades : this.tickers
    if (method === 'unsubscribe') return followed.delete(pair) ? undefined : 'Subscription Not Found'
    if (followed.has(pair)) return 'Already subscribed'
    if (channel === 'book') {
      const depth = this.depthOf(params)
      if (!DEPTHS.includes(depth)) return 'Subscription depth not supported'
      this.books.set(pair, { depth, view: { bids: [], asks: [] } })
    } else if (channel === 'trade') this.trades.add(pair)
    else this.tickers.set(pair, params['event_trigger'] === 'bbo' ? 'bbo' : 'trades')
    return undefined
  }

  private begin (channel: string, pair: string, params: Readonly<Record<string, unknown>>): void {
    const { book, trades } = this.exchange.markets.get(pair)!
    if (channel === 'book') {
      const followed = this.books.get(pair)!
      followed.view = book.view(followed.depth)
      if (params['snapshot'] !== false) this.book('snapshot', pair, followed.view, followed.view)
    } else if (channel === 'trade') {
      if (params['snapshot'] === true) this.sendTrades('snapshot', pair, trades.slice(-LAST_TRADES))
    } else if (params['snapshot'] !== false) this.ticker('snapshot', pair, book, trades.at(-1))
  }

  private depthOf (params: Readonly<Record<string, unknown>>): number {
    return typeof params['depth'] === 'number' ? params['depth'] : 10
  }

  private book (type: string, pair: string, { bids, asks }: Sides, view: Sides): void {
    const time = type === 'update' ? `,"timestamp":"${instant(now())}"` : ''
    this.peer.send(`{"channel":"book","type":"${type}","data":[{"symbol":"${pair}","bids":${written(bids)},` +
      `"asks":${written(asks)},"checksum":${krakenChecksum(view)}${time}}]}`, { pair, kind: 'book' })
  }

  private sendTrades (type: string, pair: string, trades: readonly VenueTrade[]): void {
    const data = trades.map(({ id, price, size, side, time }) =>
      `{"symbol":"${pair}","side":"${side}","price":${price},"qty":${size},"ord_type":"limit","trade_id":${id},` +
      `"timestamp":"${instant(time)}"}`)
    this.peer.send(`{"channel":"trade","type":"${type}","data":[${data.join(',')}]}`, { pair, kind: 'trade' })
  }

  private ticker (type: string, pair: string, { bids, asks }: Sides, last: VenueTrade | undefined): void {
    const [[bid, bidQty], [ask, askQty]] = [bids[0]!, asks[0]!]
    this.peer.send(`{"channel":"ticker","type":"${type}","data":[{"symbol":"${pair}","bid":${bid},"bid_qty":${bidQty},` +
      `"ask":${ask},"ask_qty":${askQty},"last":${last?.price ?? bid},"volume":2993.07996809,"vwap":${bid},"low":${bid},` +
      `"high":${ask},"change":-0.5,"change_pct":-0.1,"timestamp":"${instant(now())}"}]}`, { pair, kind: 'quote' })
  }

  private instruments (): void {
    const pairs = [...this.exchange.markets].map(([pair, { priceDecimals, sizeDecimals }]) => {
      const [base, quote] = pair.split('/')
      const increment = (decimals: number): string => decimals === 0 ? '1' : `0.${'1'.padStart(decimals, '0')}`
      return `{"symbol":"${pair}","base":"${base}","quote":"${quote}","status":"online","qty_precision":${sizeDecimals},` +
        `"qty_increment":${increment(sizeDecimals)},"price_precision":${priceDecimals},"cost_precision":5,"marginable":false,` +
        `"has_index":false,"cost_min":"0.5","tick_size":${increment(priceDecimals)},` +
        `"price_increment":${increment(priceDecimals)},"qty_min":0.00005}`
    })
    this.peer.send(`{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[${pairs.join(',')}]}}`)
  }
}

export const kraken: VenueProtocol = {
  name: 'kraken',
  market: 'KRAKEN',
  pairOf: symbol => symbol.replace('-', '/'),
  lets: 'best ten',
  tradeId: ({ id }) => String(id),
  mostMessages: Infinity,
  connect: (peer, exchange) => new KrakenSession(peer, exchange)
}
