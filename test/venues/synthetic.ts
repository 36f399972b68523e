import { Choices } from '../helpers/random.js'
import { type Market, SyntheticMarket, type SyntheticOptions } from './market.js'
import type { VenueProtocol } from './venue-protocol.js'

type Shape = Omit<SyntheticOptions, 'depth' | 'levels'>

/** What the venues trade here; the middle of each book is in ticks. */
const SHAPES: readonly Shape[] = [
  { symbol: 'BTC-USD', priceDecimals: 1, sizeDecimals: 8, middle: 640_000 },
  { symbol: 'ETH-USD', priceDecimals: 2, sizeDecimals: 8, middle: 312_345 },
  { symbol: 'ADA-USD', priceDecimals: 5, sizeDecimals: 8, middle: 50_000 },
  { symbol: 'DOGE-USD', priceDecimals: 7, sizeDecimals: 8, middle: 1_234_567 }
]
/** What people pay with there. */
const CURRENCY: Readonly<Record<string, string>> = { binance: 'USDT', upbit: 'KRW' }
/** Upbit sends so many levels at most. */
const UNITS = 30

/** Makes the markets of a venue, by its own spelling. The same seed makes the same ones. */
export function syntheticMarkets (
  { name, pairOf }: Pick<VenueProtocol, 'name' | 'pairOf'>, seed: number, depth?: number
): Map<string, Market> {
  const choices = new Choices(seed)
  return new Map(SHAPES.map((shape, index) => {
    const currency = CURRENCY[name] ?? 'USD'
    const symbol = shape.symbol.replace('USD', currency)
    // Won have no cents.
    const decimals = name === 'upbit' ? { priceDecimals: index < 2 ? 0 : 1 } : {}
    const levels = name === 'upbit' ? [UNITS, UNITS + 6] as const : [6, choices.integer(12, 24)] as const
    const options = { ...shape, ...decimals, symbol, levels, ...(depth === undefined ? {} : { depth }) }
    return [pairOf(symbol), new SyntheticMarket(options, new Choices(seed * 101 + index))]
  }))
}
