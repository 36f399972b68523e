import { type Bar, BAR_INTERVALS, type BarInterval } from '@tickwire/protocol'
import { Drift } from './drift.js'
import { type Listing, listings } from './instruments.js'
import { floorToTick, formatUnits } from './prices.js'
import { Random } from './random.js'

/** The first bar: the same seed makes the same bars on every day. */
const FIRST = '2026-01-05T00:00:00Z'
const DAY_MS = 86_400_000
/** Prices of a bar. */
const STEPS = 12
/** Standard deviation of the daily return that an instrument shares with its market and its sector. */
const SHARED_VOLATILITY = 0.02
/** Decimals of a volume-weighted price. */
const VWAP_SCALE = 8

export interface GeneratedBars {
  readonly symbol: string
  readonly interval: BarInterval
  readonly seed: number
  readonly days: number
}

/** Returns the symbols for which bars can be made. */
export const generatedSymbols = (): string[] => listings.map(({ symbol }) => symbol)

/** Returns how many bars there are. */
export const countOfBars = ({ interval, days }: GeneratedBars): number =>
  days * DAY_MS / BAR_INTERVALS[interval]

/**
 * Makes bars of an instrument of the simulated market, from the prices about which that market trades. Its
 * market is always open. The same seed makes the same bars.
 * @throws RangeError for a symbol that is not among {@link generatedSymbols}
 */
export function * generateBars (wanted: GeneratedBars): Generator<Bar> {
  const { symbol, interval, seed } = wanted
  const listing = listings.find(listing => listing.symbol === symbol)
  if (listing === undefined) throw new RangeError(`the simulated market has no ${symbol}`)
  const start = Date.parse(FIRST)
  const length = BAR_INTERVALS[interval]
  const price = prices(listing, seed, start)
  const sizes = Random.of(seed, `bars ${symbol}`)
  const bars = countOfBars(wanted)
  for (let index = 0; index < bars; index++) {
    const at = start + index * length
    const traded = Array.from({ length: STEPS }, (_, step) => ({
      price: price(at + (step + 0.5) * length / STEPS),
      size: Math.max(1, Math.round(listing.levelSize * 0.1 * Math.exp(sizes.normal())))
    }))
    yield {
      symbol,
      interval,
      start: new Date(at).toISOString().replace('.000Z', 'Z'),
      ...summary(listing, traded),
      closed: true,
      revision: 0,
      through: index + 1
    }
  }
}

/** Returns the price at a time, which must not go back. */
function prices ({ symbol, price, tick, liquidity, follows = symbol }: Listing, seed: number, start: number) {
  const own = new Drift(Random.of(seed, `drift ${follows}`), liquidity.dailyVolatility, start)
  const shared = new Drift(Random.of(seed, 'drift shared'), SHARED_VOLATILITY, start)
  return (time: number): number => {
    own.advance(time)
    shared.advance(time)
    return Math.max(tick(price), floorToTick(price * Math.exp(own.value + shared.value), tick))
  }
}

function summary (
  { scale, sizeScale }: Listing, traded: ReadonlyArray<{ readonly price: number, readonly size: number }>
): Pick<Bar, 'open' | 'high' | 'low' | 'close' | 'volume' | 'vwap' | 'trades'> {
  const all = traded.map(({ price }) => price)
  const volume = traded.reduce((sum, { size }) => sum + size, 0)
  return {
    open: formatUnits(all[0]!, scale),
    high: formatUnits(Math.max(...all), scale),
    low: formatUnits(Math.min(...all), scale),
    close: formatUnits(all.at(-1)!, scale),
    volume: formatUnits(volume, sizeScale),
    vwap: average(traded, volume, scale),
    trades: traded.length
  }
}

/** Returns the average price by size, rounded half to even. */
function average (
  traded: ReadonlyArray<{ readonly price: number, readonly size: number }>, volume: number, scale: number
): string {
  const sum = traded.reduce((sum, { price, size }) => sum + BigInt(price) * BigInt(size), 0n)
  const [dividend, divisor] = [sum * 10n ** BigInt(VWAP_SCALE - scale), BigInt(volume)]
  const [whole, rest] = [dividend / divisor, 2n * (dividend % divisor)]
  const rounded = rest > divisor || (rest === divisor && whole % 2n === 1n) ? whole + 1n : whole
  const digits = String(rounded).padStart(VWAP_SCALE + 1, '0')
  return `${digits.slice(0, -VWAP_SCALE)}.${digits.slice(-VWAP_SCALE)}`.replace(/\.?0+$/, '')
}
