import type { Instrument } from '@tickwire/protocol'

/** An instrument and how it trades. Prices are counted in ticks, so that no rounding ever shows. */
export interface Listing extends Instrument {
  /** Digits behind the point of a price. */
  readonly scale: number
  /** The price step, in units of the last digit: 100 won, 1 cent. */
  readonly tick: number
  /** Where the day begins, in ticks. */
  readonly openTicks: number
  /** Digits behind the point of a size. */
  readonly sizeScale: number
  /** Most of a trade, in units of the last digit of a size. */
  readonly maxSize: number
}

const korean = (symbol: string, name: string, market: string, sector: string, tick: number, price: number): Listing =>
  ({ symbol, name, market, sector, scale: 0, tick, openTicks: price / tick, sizeScale: 0, maxSize: 500 })

const american = (symbol: string, name: string, sector: string, cents: number): Listing =>
  ({ symbol, name, market: 'NASDAQ', sector, scale: 2, tick: 1, openTicks: cents, sizeScale: 0, maxSize: 900 })

const crypto = (symbol: string, name: string, scale: number, openTicks: number): Listing =>
  ({ symbol, name, market: 'CRYPTO', sector: 'crypto', scale, tick: 1, openTicks, sizeScale: 6, maxSize: 2_000_000 })

export const listings: readonly Listing[] = [
  korean('005930', 'Samsung Electronics', 'KOSPI', 'semiconductors', 100, 71_500),
  korean('000660', 'SK hynix', 'KOSPI', 'semiconductors', 500, 182_000),
  korean('035420', 'NAVER', 'KOSPI', 'internet', 500, 191_500),
  korean('005380', 'Hyundai Motor', 'KOSPI', 'automobiles', 500, 245_000),
  korean('247540', 'Ecopro BM', 'KOSDAQ', 'batteries', 500, 203_000),
  american('AAPL', 'Apple', 'technology', 18_550),
  american('MSFT', 'Microsoft', 'technology', 41_520),
  american('NVDA', 'NVIDIA', 'semiconductors', 88_240),
  american('AMZN', 'Amazon', 'retail', 17_830),
  american('TSLA', 'Tesla', 'automobiles', 20_160),
  crypto('BTC-USD', 'Bitcoin', 2, 6_412_050),
  crypto('ETH-USD', 'Ether', 2, 345_018),
  crypto('SOL-USD', 'Solana', 3, 142_655),
  crypto('XRP-USD', 'XRP', 5, 52_310)
]
