import type { Instrument } from '@tickwire/protocol'

const PRODUCT = /^[A-Z0-9]{1,16}-[A-Z0-9]{1,16}$/

/** Coinbase spells its products as all sources do: `BTC-USD`. */
export const productOf = (symbol: string): string | undefined => PRODUCT.test(symbol) ? symbol : undefined

export const instrument = (product: string): Instrument => {
  const currency = PRODUCT.test(product) ? product.slice(product.indexOf('-') + 1) : undefined
  return {
    symbol: product,
    market: 'COINBASE',
    name: product,
    ...(currency === undefined ? {} : { currency }),
    venue_symbol: product
  }
}
