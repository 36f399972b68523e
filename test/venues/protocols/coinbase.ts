import type { Market, Step, VenueTrade } from '../market.js'
import {
  type Exchange, instant, isObject, now, parse, type Peer, type Session, texts, type VenueProtocol
} from '../venue-protocol.js'

/**
 * The feed of Coinbase Exchange, after https://docs.cdp.coinbase.com/exchange/websocket-feed/: channels level2,
 * level2_batch, ticker, matches and heartbeat. A request with one product that does not exist fails whole.
 */

const CHANNELS = ['level2', 'level2_batch', 'ticker', 'matches', 'heartbeat']

interface Wanted { readonly channel: string, readonly pairs: readonly string[] }

class CoinbaseSession implements Session {
  /** By channel. */
  private readonly followed = new Map<string, Set<string>>()

  constructor (private readonly peer: Peer, private readonly exchange: Exchange) {}

  receive (text: string): void {
    const request = parse(text)
    const { type, product_ids: products, channels } = isObject(request) ? request : {}
    if (type !== 'subscribe' && type !== 'unsubscribe') return this.refuse('Type has to be either subscribe or unsubscribe')
    if (!Array.isArray(channels) || channels.length === 0) return this.refuse('No channels provided')
    const wanted = channels.map((channel: unknown): Wanted => isObject(channel)
      ? { channel: String(channel['name']), pairs: texts(channel['product_ids'] ?? products) }
      : { channel: String(channel), pairs: texts(products) })
    for (const { channel, pairs } of wanted) {
      if (!CHANNELS.includes(channel)) return this.refuse(`${channel} is not a valid channel`)
      const unknown = pairs.find(pair => !this.exchange.markets.has(pair))
      if (unknown !== undefined) return this.refuse(`${unknown} is not a valid product`)
    }
    const fresh: Array<[channel: string, pair: string]> = []
    for (const { channel, pairs } of wanted) {
      const followed = this.followed.get(channel) ?? new Set()
      this.followed.set(channel, followed)
      for (const pair of pairs) {
        if (type === 'unsubscribe') followed.delete(pair)
        else if (!followed.has(pair)) {
          followed.add(pair)
          fresh.push([channel, pair])
        }
      }
    }
    const state = [...this.followed].filter(([, pairs]) => pairs.size > 0)
      .map(([name, pairs]) => ({ name, product_ids: [...pairs], account_ids: null }))
    this.peer.send(JSON.stringify({ type: 'subscriptions', channels: state }))
    for (const [channel, pair] of fresh) this.begin(channel, pair)
  }

  step (pair: string, market: Market, { bids, asks, trades }: Step): void {
    for (const trade of trades) if (this.has('matches', pair)) this.match('match', pair, market, trade)
    if (this.has('level2', pair) || this.has('level2_batch', pair)) {
      const changes = [...bids.map(level => ['buy', ...level]), ...asks.map(level => ['sell', ...level])]
      this.peer.send(JSON.stringify({ type: 'l2update', product_id: pair, changes, time: instant(now()) }), { pair, kind: 'book' })
    }
    if (trades.length > 0 && this.has('ticker', pair)) this.ticker(pair, market)
  }

  beat (): void {
    for (const pair of this.followed.get('heartbeat') ?? []) {
      const { sequence, trades } = this.exchange.markets.get(pair)!
      this.peer.send(JSON.stringify({ type: 'heartbeat', last_trade_id: trades.length, product_id: pair, sequence, time: instant(now()) }))
    }
  }

  private has = (channel: string, pair: string): boolean => this.followed.get(channel)?.has(pair) === true

  private refuse (reason: string): void {
    this.peer.send(JSON.stringify({ type: 'error', message: 'Failed to subscribe', reason }))
  }

  private begin (channel: string, pair: string): void {
    const market = this.exchange.markets.get(pair)!
    if (channel === 'level2' || channel === 'level2_batch') {
      const { bids, asks } = market.book
      this.peer.send(JSON.stringify({ type: 'snapshot', product_id: pair, asks, bids, time: instant(now()) }), { pair, kind: 'book' })
    } else if (channel === 'ticker') this.ticker(pair, market)
    else if (channel === 'matches' && market.trades.length > 0) this.match('last_match', pair, market, market.trades.at(-1)!)
  }

  private match (
    type: string, pair: string, { sequence }: Market, { id, price, size, side, time }: VenueTrade
  ): void {
    this.peer.send(JSON.stringify({
      type,
      trade_id: id,
      maker_order_id: `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`,
      taker_order_id: `00000000-0000-4000-9000-${String(id).padStart(12, '0')}`,
      // The maker's.
      side: side === 'buy' ? 'sell' : 'buy',
      size,
      price,
      product_id: pair,
      sequence,
      time: instant(time)
    }), { pair, kind: 'trade' })
  }

  private ticker (pair: string, { book, trades, sequence }: Market): void {
    const [[bid, bidSize], [ask, askSize]] = [book.bids[0]!, book.asks[0]!]
    const last = trades.at(-1)
    this.peer.send(JSON.stringify({
      type: 'ticker',
      sequence,
      product_id: pair,
      price: last?.price ?? bid,
      open_24h: bid,
      volume_24h: '11743.94000000',
      low_24h: bid,
      high_24h: ask,
      volume_30d: '300000.00000000',
      best_bid: bid,
      best_bid_size: bidSize,
      best_ask: ask,
      best_ask_size: askSize,
      side: last?.side ?? 'buy',
      time: instant(now()),
      trade_id: last?.id ?? 0,
      last_size: last?.size ?? '0.1'
    }), { pair, kind: 'quote' })
  }
}

const increment = (decimals: number): string => decimals === 0 ? '1' : `0.${'1'.padStart(decimals, '0')}`

function product (pair: string, { priceDecimals, sizeDecimals }: Market): object {
  const [base, quote] = pair.split('-')
  return {
    id: pair,
    base_currency: base,
    quote_currency: quote,
    quote_increment: increment(priceDecimals),
    base_increment: increment(sizeDecimals),
    display_name: `${base}-${quote}`,
    status: 'online'
  }
}

export const coinbase: VenueProtocol = {
  name: 'coinbase',
  market: 'COINBASE',
  pairOf: symbol => symbol,
  lets: 'nothing',
  tradeId: ({ id }) => String(id),
  mostMessages: 100,
  connect: (peer, exchange) => new CoinbaseSession(peer, exchange),
  answer ({ pathname }, { markets }) {
    if (pathname === '/products') {
      const all = [...markets].map(([pair, market]) => product(pair, market))
      return { status: 200, body: JSON.stringify(all) }
    }
    const [, pair] = /^\/products\/([^/]+)$/.exec(pathname) ?? []
    if (pair === undefined) return undefined
    const market = markets.get(pair)
    return market === undefined
      ? { status: 404, body: '{"message":"NotFound"}' }
      : { status: 200, body: JSON.stringify(product(pair, market)) }
  }
}
