import type { Instrument } from '@tickwire/protocol'

/** What things are paid with, the longest first: a pair has no mark between its currencies. */
const QUOTES = [
  'FDUSD', 'USDT', 'USDC', 'BUSD', 'TUSD', 'USDP', 'DOGE', 'BIDR', 'BTC', 'ETH', 'BNB', 'XRP', 'TRX', 'DAI',
  'EUR', 'GBP', 'TRY', 'BRL', 'AUD', 'JPY', 'RUB', 'UAH', 'ZAR', 'NGN', 'PLN', 'RON', 'ARS', 'MXN', 'CZK'
]
const SYMBOL = /^[A-Z0-9]{1,16}-[A-Z0-9]{1,16}$/

const quoteOf = (pair: string): string | undefined =>
  QUOTES.find(quote => pair.endsWith(quote) && pair.length > quote.length)

/** Spells a pair as all sources do: `BTCUSDT` is `BTC-USDT`. */
export function symbolOf (pair: string): string {
  const quote = quoteOf(pair)
  return quote === undefined ? pair : `${pair.slice(0, -quote.length)}-${quote}`
}

/** Spells a symbol as Binance does: `BTC-USDT` is `BTCUSDT`. */
export const pairOf = (symbol: string): string | undefined =>
  SYMBOL.test(symbol) ? symbol.replace('-', '') : undefined

export const instrument = (pair: string): Instrument => {
  const currency = quoteOf(pair)
  return {
    symbol: symbolOf(pair),
    market: 'BINANCE',
    name: pair,
    ...(currency === undefined ? {} : { currency }),
    venue_symbol: pair
  }
}

/** Returns the pairs of streams: `btcusdt@depth@100ms`. */
export const pairsOf = (streams: readonly unknown[]): string[] => {
  const names = streams.filter(stream => typeof stream === 'string')
  return [...new Set(names.map(stream => stream.split('@', 1)[0]!.toUpperCase()))].filter(pair => pair !== '')
}
