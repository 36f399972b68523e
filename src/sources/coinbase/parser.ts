import type { Instrument, Quote } from '@tickwire/protocol'
import { Books } from '../../book/books.js'
import { coinbaseLevel2 } from '../../book/coinbase/frames.js'
import { plainDecimal } from '../../book/decimals.js'
import { VenueBook } from '../../book/venue-book.js'
import type { SourceMessage } from '../source.js'
import type { Venue, VenueParser } from '../venue.js'

/** A frame of the public feed of Coinbase Exchange: channels `ticker`, `matches` and `level2`. */
type Frame = Readonly<Record<string, unknown>>

/** Returns a price or size under its name; leaves out a value that is not a decimal, rather than alter it. */
function amount<Name extends string> (name: Name, value: unknown): Partial<Record<Name, string>> {
  const decimal = typeof value === 'string' ? plainDecimal(value) : undefined
  return decimal === undefined ? {} : { [name]: decimal } as Record<Name, string>
}

/** Returns a price or size as a decimal, and any other value as it is, for the publisher to refuse. */
const plain = (value: unknown): unknown => typeof value === 'string' ? plainDecimal(value) ?? value : value

class CoinbaseParser implements VenueParser {
  /**
   * The id of the last trade of each product: `last_match` may repeat a trade that was sent before. Ids only
   * grow.
   */
  private readonly lastTrade = new Map<string, number>()
  private readonly books = new Books(symbol => new VenueBook({ symbol }))

  parse (payload: string): readonly SourceMessage[] {
    const frame = JSON.parse(payload) as Frame
    const symbol = frame['product_id']
    if (typeof symbol !== 'string') return []
    switch (frame['type']) {
      case 'ticker': return [{ channel: 'quotes', symbol, data: quote(symbol, frame) }]
      case 'match':
      case 'last_match': return this.trade(symbol, frame)
      case 'snapshot':
      case 'l2update': return this.books.take(coinbaseLevel2(frame))
      default: return []
    }
  }

  private trade (symbol: string, frame: Frame): SourceMessage[] {
    const id = frame['trade_id']
    const isNumber = typeof id === 'number' && Number.isSafeInteger(id)
    if (isNumber) {
      if (id <= (this.lastTrade.get(symbol) ?? -1)) return []
      this.lastTrade.set(symbol, id)
    }
    const data = {
      symbol,
      price: plain(frame['price']),
      size: plain(frame['size']),
      timestamp: frame['time'],
      exchange: 'coinbase',
      // The feed names the side of the maker; a trade's `side` here is the taker's.
      side: frame['side'] === 'sell' ? 'buy' : 'sell',
      // The publisher refuses an id that is not a number, or is too large to be exact.
      trade_id: isNumber ? String(id) : id
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

function instruments (subscribeFrame: string): readonly Instrument[] {
  const { product_ids: products } = JSON.parse(subscribeFrame) as { product_ids?: unknown }
  if (!Array.isArray(products)) return []
  return products.filter(product => typeof product === 'string')
    .map(symbol => ({ symbol, market: 'COINBASE', name: symbol }))
}

export const coinbase: Venue = {
  name: 'coinbase',
  // Both are the same feed; the second is its name since Coinbase Pro became Coinbase Exchange.
  hosts: ['ws-feed.pro.coinbase.com', 'ws-feed.exchange.coinbase.com'],
  channels: ['quotes', 'trades', 'book'],
  createParser: () => new CoinbaseParser(),
  instruments
}
