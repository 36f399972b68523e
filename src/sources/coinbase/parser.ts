import { askOrder, bidOrder, type BookLevel, DECIMAL_PATTERN, type Instrument, type Quote } from '@tickwire/protocol'
import type { SourceMessage } from '../source.js'
import type { Venue, VenueParser } from '../venue.js'

/** Coinbase Exchange, the public feed: channels `ticker`, `matches` and `level2`. */
type Frame = Readonly<Record<string, unknown>>

const decimal = new RegExp(DECIMAL_PATTERN)

/** A price or size as the feed wrote it; what is not one is left out rather than altered. */
function amount<Name extends string> (name: Name, value: unknown): Partial<Record<Name, string>> {
  return typeof value === 'string' && decimal.test(value) ? { [name]: value } as Record<Name, string> : {}
}

class CoinbaseParser implements VenueParser {
  /** The last trade of each product: `last_match` repeats one that may have been sent before. Ids only grow. */
  private readonly lastTrade = new Map<string, number>()

  parse (payload: string): readonly SourceMessage[] {
    const frame = JSON.parse(payload) as Frame
    const symbol = frame['product_id']
    if (typeof symbol !== 'string') return []
    switch (frame['type']) {
      case 'ticker': return [{ channel: 'quotes', symbol, data: quote(symbol, frame) }]
      case 'match':
      case 'last_match': return this.trade(symbol, frame)
      case 'snapshot': return [{ channel: 'book', symbol, snapshot: true, data: { symbol, bids: frame['bids'], asks: frame['asks'] } }]
      case 'l2update': return [{ channel: 'book', symbol, data: { symbol, ...sides(frame['changes'] as Change[]) } }]
      default: return []
    }
  }

  private trade (symbol: string, frame: Frame): SourceMessage[] {
    const id = frame['trade_id']
    if (typeof id !== 'number' || id <= (this.lastTrade.get(symbol) ?? -1)) return []
    this.lastTrade.set(symbol, id)
    const data = {
      symbol,
      price: frame['price'],
      size: frame['size'],
      timestamp: frame['time'],
      exchange: 'coinbase',
      // The feed names the maker's side; a trade's side here is the taker's.
      side: frame['side'] === 'sell' ? 'buy' : 'sell',
      trade_id: String(id)
    }
    return [{ channel: 'trades', symbol, data }]
  }
}

function quote (symbol: string, frame: Frame): Quote {
  return {
    symbol,
    ...amount('bid', frame['best_bid']),
    ...amount('ask', frame['best_ask']),
    ...amount('last', frame['price']),
    ...amount('bid_size', frame['best_bid_size']),
    ...amount('ask_size', frame['best_ask_size']),
    ...amount('volume', frame['volume_24h']),
    ...amount('open', frame['open_24h']),
    ...amount('high', frame['high_24h']),
    ...amount('low', frame['low_24h']),
    ...(typeof frame['time'] === 'string' ? { venue_time: frame['time'] } : {})
  }
}

/** Side, price, size; a size of zero removes the level. */
type Change = readonly [string, string, string]

function sides (changes: readonly Change[]): { bids: BookLevel[], asks: BookLevel[] } {
  const bids: BookLevel[] = []
  const asks: BookLevel[] = []
  for (const [side, price, size] of changes) (side === 'buy' ? bids : asks).push([price, size])
  return {
    bids: bids.sort((a, b) => bidOrder(a[0], b[0])),
    asks: asks.sort((a, b) => askOrder(a[0], b[0]))
  }
}

function instruments (subscribeFrame: string): readonly Instrument[] {
  const { product_ids: products } = JSON.parse(subscribeFrame) as { product_ids?: unknown }
  if (!Array.isArray(products)) return []
  return products.filter(product => typeof product === 'string').map(symbol => ({ symbol, market: 'COINBASE', name: symbol }))
}

export const coinbase: Venue = {
  name: 'coinbase',
  // The same feed: the second is what it has been called since Coinbase Pro became Coinbase Exchange.
  hosts: ['ws-feed.pro.coinbase.com', 'ws-feed.exchange.coinbase.com'],
  channels: ['quotes', 'trades', 'book'],
  createParser: () => new CoinbaseParser(),
  instruments
}
