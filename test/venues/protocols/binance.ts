import type { Market, Step, VenueTrade } from '../market.js'
import type { Level } from '../true-book.js'
import {
  type Answer, type Exchange, isObject, now, parse, type Peer, type Session, texts, type VenueProtocol
} from '../venue-protocol.js'

/**
 * The streams and snapshots of Binance's spot market, after
 * https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams. A stream of a symbol that does
 * not exist is taken, and stays empty.
 */

const MOST_STREAMS = 1024
/** How many steps a frame of `depth@100ms` gathers: what happened in 100 ms. */
const GATHERED = 3
const MOST_LEVELS = 5000
/** A pong counts as a message, of which a client may not send many. */
const PING_BEATS = 6

interface Gathered {
  readonly pair: string
  readonly first: number
  last: number
  steps: number
  readonly bids: Map<string, Level>
  readonly asks: Map<string, Level>
}

class BinanceSession implements Session {
  private readonly streams = new Set<string>()
  private readonly gathered = new Map<string, Gathered>()
  private beats = 0
  private readonly isCombined: boolean
  private readonly isInMicroseconds: boolean

  constructor (private readonly peer: Peer, { pathname, searchParams }: URL) {
    this.isCombined = pathname.startsWith('/stream')
    this.isInMicroseconds = searchParams.get('timeUnit')?.toUpperCase() === 'MICROSECOND'
    const [, single] = /^\/ws\/(.+)$/.exec(pathname) ?? []
    const named = this.isCombined ? searchParams.get('streams') : single
    this.add((named ?? '').split('/').filter(stream => stream !== ''))
  }

  receive (text: string): void {
    const request = parse(text)
    if (request === undefined) return this.peer.send('{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}')
    const { method, params, id = null } = isObject(request) ? request : {}
    if (method === 'LIST_SUBSCRIPTIONS') return this.peer.send(JSON.stringify({ result: [...this.streams], id }))
    if (method !== 'SUBSCRIBE' && method !== 'UNSUBSCRIBE') {
      return this.peer.send(JSON.stringify({ code: 2, msg: 'Invalid request: unknown variant', id }))
    }
    if (method === 'SUBSCRIBE') this.add(texts(params))
    else {
      for (const stream of texts(params)) {
        this.streams.delete(stream)
        this.gathered.delete(stream)
      }
    }
    this.peer.send(JSON.stringify({ result: null, id }))
  }

  step (pair: string, market: Market, step: Step): void {
    const name = pair.toLowerCase()
    for (const speed of ['@depth@100ms', '@depth']) {
      if (this.streams.has(`${name}${speed}`)) this.gather(`${name}${speed}`, pair, step)
    }
    const [bid, ask] = [market.book.bids[0]!, market.book.asks[0]!]
    const isTop = [bid, ask].some((top, at) => (at === 0 ? step.bids : step.asks).includes(top))
    if (isTop) {
      this.send(`${name}@bookTicker`, pair, 'quote', { u: step.last, s: pair, b: bid[0], B: bid[1], a: ask[0], A: ask[1] })
    }
    for (const trade of step.trades) this.trade(name, pair, trade)
  }

  beat (): void {
    if (this.beats++ % PING_BEATS === 0) this.peer.ping()
    for (const [stream, { pair }] of this.gathered) this.flush(stream, pair)
  }

  private add (streams: readonly string[]): void {
    for (const stream of streams) this.streams.add(stream)
    if (this.streams.size > MOST_STREAMS) this.peer.close(1008, 'Too many streams')
  }

  private gather (stream: string, pair: string, { bids, asks, first, last }: Step): void {
    const all = this.gathered.get(stream) ?? { pair, first, last, steps: 0, bids: new Map(), asks: new Map() }
    this.gathered.set(stream, all)
    for (const level of bids) all.bids.set(level[0], level)
    for (const level of asks) all.asks.set(level[0], level)
    all.last = last
    if (++all.steps >= GATHERED) this.flush(stream, pair)
  }

  private flush (stream: string, pair: string): void {
    const { first, last, bids, asks } = this.gathered.get(stream)!
    this.gathered.delete(stream)
    const levels = { b: [...bids.values()], a: [...asks.values()] }
    this.send(stream, pair, 'book', { e: 'depthUpdate', E: this.time(now()), s: pair, U: first, u: last, ...levels })
  }

  private trade (name: string, pair: string, { id, price, size, side, time }: VenueTrade): void {
    const rest = { p: price, q: size, T: this.time(time), m: side === 'sell', M: true }
    this.send(`${name}@trade`, pair, 'trade', { e: 'trade', E: this.time(now()), s: pair, t: id, ...rest })
    this.send(`${name}@aggTrade`, pair, 'trade', { e: 'aggTrade', E: this.time(now()), s: pair, a: id, f: id, l: id, ...rest })
  }

  private send (stream: string, pair: string, kind: 'book' | 'trade' | 'quote', data: object): void {
    if (!this.streams.has(stream)) return
    this.peer.send(JSON.stringify(this.isCombined ? { stream, data } : data), { pair, kind })
  }

  private time (microseconds: number): number {
    return this.isInMicroseconds ? microseconds : Math.floor(microseconds / 1000)
  }
}

const UNKNOWN: Answer = { status: 400, body: '{"code":-1121,"msg":"Invalid symbol."}' }
const used = { 'x-mbx-used-weight': '5', 'x-mbx-used-weight-1m': '5' }

function depth (params: URLSearchParams, { markets }: Exchange): Answer {
  const market = markets.get(params.get('symbol') ?? '')
  if (market === undefined) return UNKNOWN
  const limit = Math.min(Number(params.get('limit') ?? 100), MOST_LEVELS)
  const body = JSON.stringify({ lastUpdateId: market.sequence, ...market.book.view(limit) })
  return { status: 200, body, headers: used }
}

function exchangeInfo (params: URLSearchParams, { markets }: Exchange): Answer {
  const named = params.get('symbols') ?? params.get('symbol')
  const pairs = named === null ? [...markets.keys()] : named.startsWith('[') ? texts(parse(named)) : [named]
  if (pairs.some(pair => !markets.has(pair))) return UNKNOWN
  const increment = (decimals: number): string => `0.${'1'.padStart(decimals, '0')}`.padEnd(10, '0')
  const symbols = pairs.map(pair => {
    const { symbol, priceDecimals, sizeDecimals } = markets.get(pair)!
    const [baseAsset, quoteAsset] = symbol.split('-')
    return {
      symbol: pair,
      status: 'TRADING',
      baseAsset,
      quoteAsset,
      filters: [
        { filterType: 'PRICE_FILTER', minPrice: increment(priceDecimals), maxPrice: '1000000.00000000', tickSize: increment(priceDecimals) },
        { filterType: 'LOT_SIZE', minQty: increment(sizeDecimals), maxQty: '9000.00000000', stepSize: increment(sizeDecimals) }
      ]
    }
  })
  return { status: 200, body: JSON.stringify({ timezone: 'UTC', serverTime: Date.now(), rateLimits: [], symbols }), headers: used }
}

export const binance: VenueProtocol = {
  name: 'binance',
  market: 'BINANCE',
  pairOf: symbol => symbol.replace('-', ''),
  lets: 'all',
  tradeId: ({ id }) => String(id),
  mostMessages: 5,
  connect: (peer, _exchange, url) => new BinanceSession(peer, url),
  answer ({ pathname, searchParams }, exchange) {
    if (pathname === '/api/v3/depth') return depth(searchParams, exchange)
    return pathname === '/api/v3/exchangeInfo' ? exchangeInfo(searchParams, exchange) : undefined
  },
  shutdown: () => JSON.stringify({ e: 'serverShutdown', E: Date.now() })
}
