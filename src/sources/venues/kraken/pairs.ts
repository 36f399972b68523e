import type { Instrument } from '@tickwire/protocol'

/** Names of version 1 of the feed that others do not use. */
const OWN_NAMES: ReadonlyMap<string, string> = new Map([['XBT', 'BTC'], ['XDG', 'DOGE']])
const SYMBOL = /^[A-Z0-9.]{1,16}-[A-Z0-9.]{1,16}$/

/** Spells a pair as all sources do: `XBT/USD` is `BTC-USD`. */
export const symbolOf = (pair: string): string =>
  pair.split('/').map(currency => OWN_NAMES.get(currency) ?? currency).join('-')

/** Spells a symbol as version 2 of the feed does: `BTC-USD` is `BTC/USD`. */
export const pairOf = (symbol: string): string | undefined =>
  SYMBOL.test(symbol) ? symbol.replace('-', '/') : undefined

export const instrument = (pair: string): Instrument => {
  const symbol = symbolOf(pair)
  const currency = symbol.slice(symbol.indexOf('-') + 1)
  return { symbol, market: 'KRAKEN', name: pair, currency, venue_symbol: pair }
}
