import type { Instrument } from '@tickwire/protocol'

const CODE = /^(KRW)-([A-Z0-9]{1,16})$/
const SYMBOL = /^([A-Z0-9]{1,16})-(KRW)$/

/** Spells a code as all sources do: `KRW-BTC` is `BTC-KRW`. */
export const symbolOf = (code: string): string => code.replace(CODE, '$2-$1')

/** Spells a symbol as Upbit does: `BTC-KRW` is `KRW-BTC`. Only the market in won is read. */
export const codeOf = (symbol: string): string | undefined =>
  SYMBOL.test(symbol) ? symbol.replace(SYMBOL, '$2-$1') : undefined

export const instrument = (code: string): Instrument => ({
  symbol: symbolOf(code),
  market: 'UPBIT',
  name: code,
  ...(CODE.test(code) ? { currency: 'KRW' } : {}),
  venue_symbol: code
})
