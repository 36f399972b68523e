import type { Market, Step, VenueTrade } from '../market.js'
import type { Level } from '../true-book.js'
import {
  type Exchange, isObject, parse, type Peer, type Session, texts, type VenueProtocol
} from '../venue-protocol.js'

/**
 * Upbit's feed, after https://docs.upbit.com/kr/reference/websocket-guide: one request names all that the
 * client wants, and a later one takes its place. Books come whole. Prices and sizes are JSON numbers, of
 * which small ones are in e-notation.
 */

const UNITS = [1, 5, 15, 30]
const TYPES = ['ticker', 'trade', 'orderbook']

/** By type, codes with how many levels they were asked for. */
type Wanted = Map<string, Map<string, number>>

/** Very small numbers are in e-notation, with no digit more or less. */
const written = (decimal: string): string => Number(decimal) < 0.001 && Number(decimal) > 0
  ? withExponent(decimal)
  : decimal

function withExponent (decimal: string): string {
  const digits = decimal.slice(2)
  const zeros = /^0*/.exec(digits)![0].length
  const own = digits.slice(zeros)
  return `${own[0]}${own.length > 1 ? '.' : ''}${own.slice(1)}E-${zeros + 1}`
}

/** More than a JavaScript number holds exactly, as the venue's own. */
const idOf = ({ id, time }: Pick<VenueTrade, 'id' | 'time'>): string => `${time}${id % 10}`

class UpbitSession implements Session {
  private wanted: Wanted = new Map()
  /** The books as they were sent last. */
  private readonly views = new Map<string, string>()
  private time = 0

  constructor (private readonly peer: Peer, private readonly exchange: Exchange) {}

  receive (text: string): void {
    if (text === 'PING') return this.peer.send('{"status":"UP"}')
    const request = parse(text)
    if (!Array.isArray(request)) return this.refuse('WRONG_FORMAT', 'the request is not an array')
    const [ticket, ...rest] = request as unknown[]
    if (!isObject(ticket) || typeof ticket['ticket'] !== 'string') return this.refuse('NO_TICKET', 'there is no ticket')
    const wanted: Wanted = new Map()
    const fresh: Array<[type: string, code: string, isOnly: boolean]> = []
    for (const part of rest) {
      if (!isObject(part) || 'format' in part) continue
      if (typeof part['type'] !== 'string' || !TYPES.includes(part['type'])) return this.refuse('NO_TYPE', 'there is no type')
      const codes = texts(part['codes'])
      if (codes.length === 0) return this.refuse('NO_CODES', 'there are no codes')
      const found = wanted.get(part['type']) ?? new Map<string, number>()
      wanted.set(part['type'], found)
      for (const named of codes) {
        const [code = '', units = '30'] = named.split('.')
        // A code that does not exist is left out without a word.
        if (!this.exchange.markets.has(code)) continue
        found.set(code, UNITS.includes(Number(units)) ? Number(units) : 30)
        if (part['is_only_realtime'] !== true) fresh.push([part['type'], code, part['is_only_snapshot'] === true])
      }
    }
    this.wanted = wanted
    for (const [type, code, isOnly] of fresh) {
      this.tell(type, code, 'SNAPSHOT')
      if (isOnly) wanted.get(type)!.delete(code)
    }
  }

  step (pair: string, market: Market, { trades }: Step): void {
    for (const trade of trades) if (this.has('trade', pair)) this.trade(pair, trade, 'REALTIME')
    if (trades.length > 0 && this.has('ticker', pair)) this.tell('ticker', pair, 'REALTIME')
    const units = this.wanted.get('orderbook')?.get(pair)
    if (units === undefined) return
    const view = JSON.stringify(market.book.view(units))
    if (view !== this.views.get(pair)) this.tell('orderbook', pair, 'REALTIME')
  }

  /** The venue says nothing by itself. */
  beat (): void {}

  private has = (type: string, pair: string): boolean => this.wanted.get(type)?.has(pair) === true

  private refuse (name: string, message: string): void {
    this.peer.send(JSON.stringify({ error: { name, message } }))
  }

  private tell (type: string, code: string, stream: string): void {
    const market = this.exchange.markets.get(code)!
    const last = market.trades.at(-1)
    if (type === 'orderbook') this.book(code, market, this.wanted.get(type)?.get(code) ?? 30, stream)
    else if (last !== undefined && type === 'trade') this.trade(code, last, stream)
    else if (last !== undefined) this.ticker(code, last, stream)
  }

  private book (code: string, { book }: Market, units: number, stream: string): void {
    const { bids, asks } = book.view(units)
    this.views.set(code, JSON.stringify({ bids, asks }))
    const total = (side: readonly Level[]): string =>
      side.reduce((sum, [, size]) => sum + Number(size), 0).toFixed(8)
    const pairs = asks.map(([price, size], at) => `{"ask_price":${written(price)},"bid_price":${written(bids[at]![0])},` +
      `"ask_size":${written(size)},"bid_size":${written(bids[at]![1])}}`)
    // Frames that follow each other in one book have times that differ.
    this.time = Math.max(Date.now(), this.time + 1)
    this.peer.send(`{"type":"orderbook","code":"${code}","timestamp":${this.time},"total_ask_size":${total(asks)},` +
      `"total_bid_size":${total(bids)},"orderbook_units":[${pairs.join(',')}],"stream_type":"${stream}","level":0}`, { pair: code, kind: 'book' })
  }

  private trade (code: string, { id, price, size, side, time }: VenueTrade, stream: string): void {
    const at = new Date(time / 1000).toISOString()
    this.peer.send(`{"type":"trade","code":"${code}","timestamp":${Date.now()},"trade_date":"${at.slice(0, 10)}",` +
      `"trade_time":"${at.slice(11, 19)}","trade_timestamp":${Math.floor(time / 1000)},"trade_price":${written(price)},` +
      `"trade_volume":${written(size)},"ask_bid":"${side === 'buy' ? 'BID' : 'ASK'}","prev_closing_price":${written(price)},` +
      `"change":"EVEN","change_price":0.0,"sequential_id":${idOf({ id, time })},"stream_type":"${stream}"}`, { pair: code, kind: 'trade' })
  }

  private ticker (code: string, { price, size, side, time }: VenueTrade, stream: string): void {
    const at = written(price)
    this.peer.send(`{"type":"ticker","code":"${code}","opening_price":${at},"high_price":${at},"low_price":${at},` +
      `"trade_price":${at},"prev_closing_price":${at},"change":"EVEN","change_price":0.0,"signed_change_price":0.0,` +
      `"change_rate":0.0,"signed_change_rate":0.0,"trade_volume":${written(size)},"acc_trade_volume":12.34567891,` +
      '"acc_trade_volume_24h":123.45678912,"acc_trade_price":1234567.8,"acc_trade_price_24h":12345678.9,' +
      `"trade_timestamp":${Math.floor(time / 1000)},"ask_bid":"${side === 'buy' ? 'BID' : 'ASK'}",` +
      `"is_trading_suspended":false,"timestamp":${Date.now()},"stream_type":"${stream}"}`, { pair: code, kind: 'quote' })
  }
}

export const upbit: VenueProtocol = {
  name: 'upbit',
  market: 'UPBIT',
  pairOf: symbol => symbol.split('-').reverse().join('-'),
  lets: 'all',
  tradeId: idOf,
  tradesHaveNoOrder: true,
  isBinary: true,
  mostMessages: 5,
  connect: (peer, exchange) => new UpbitSession(peer, exchange),
  answer ({ pathname }, { markets }) {
    if (pathname !== '/v1/market/all') return undefined
    const all = [...markets.keys()].map(market => ({ market, korean_name: market, english_name: market }))
    return { status: 200, body: JSON.stringify(all) }
  }
}
