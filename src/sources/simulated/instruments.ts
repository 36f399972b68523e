import type { Instrument } from '@tickwire/protocol'
import { krxTick, type TickRule, usTick } from './ticks.js'

/** An instrument and how it trades. Prices and sizes are counted in units of their last digit, so that no rounding shows. */
export interface Listing extends Instrument {
  readonly market: string
  readonly sector: string
  readonly name: string
  /** Digits behind the point of a price. */
  readonly scale: number
  readonly tick: TickRule
  /** About where it trades. */
  readonly price: number
  /** Digits behind the point of a size. */
  readonly sizeScale: number
  /** About what stands at the best price; trades are a part of it. */
  readonly depth: number
  /** From 1, which trades at every turn with one tick between bid and ask, down to 0, which hardly does. */
  readonly liquidity: number
}

const krx = (market: string, symbol: string, name: string, sector: string, won: number, liquidity: number): Listing =>
  ({ symbol, name, market, sector, scale: 0, tick: krxTick, price: won, sizeScale: 0, depth: Math.round(40_000_000 / won) + 10, liquidity })

const us = (market: string, symbol: string, name: string, sector: string, dollars: number, liquidity: number): Listing =>
  ({ symbol, name, market, sector, scale: 2, tick: usTick, price: Math.round(dollars * 100), sizeScale: 0, depth: Math.round(60_000 / dollars) + 10, liquidity })

const crypto = (symbol: string, name: string, sector: string, dollars: number, scale: number, tick: number, liquidity: number): Listing => ({
  symbol, name, market: 'CRYPTO', sector, scale, tick: () => tick, price: Math.round(dollars * 10 ** scale), sizeScale: 6, depth: Math.round(30_000 / dollars * 1e6), liquidity
})

export const listings: readonly Listing[] = [
  krx('KOSPI', '005930', 'Samsung Electronics', 'semiconductors', 71_500, 1),
  krx('KOSPI', '000660', 'SK hynix', 'semiconductors', 182_000, 0.9),
  krx('KOSPI', '373220', 'LG Energy Solution', 'batteries', 389_000, 0.6),
  krx('KOSPI', '207940', 'Samsung Biologics', 'biotech', 812_000, 0.4),
  krx('KOSPI', '005380', 'Hyundai Motor', 'automobiles', 245_000, 0.7),
  krx('KOSPI', '000270', 'Kia', 'automobiles', 104_200, 0.7),
  krx('KOSPI', '068270', 'Celltrion', 'biotech', 186_300, 0.6),
  krx('KOSPI', '105560', 'KB Financial Group', 'banks', 78_400, 0.6),
  krx('KOSPI', '055550', 'Shinhan Financial Group', 'banks', 49_850, 0.6),
  krx('KOSPI', '035420', 'NAVER', 'internet', 191_500, 0.7),
  krx('KOSPI', '035720', 'Kakao', 'internet', 43_150, 0.7),
  krx('KOSPI', '005490', 'POSCO Holdings', 'steel', 378_500, 0.5),
  krx('KOSPI', '051910', 'LG Chem', 'chemicals', 402_500, 0.4),
  krx('KOSPI', '006400', 'Samsung SDI', 'batteries', 371_000, 0.4),
  krx('KOSPI', '012330', 'Hyundai Mobis', 'automobiles', 238_500, 0.3),
  krx('KOSPI', '017670', 'SK Telecom', 'telecom', 52_300, 0.3),
  krx('KOSPI', '015760', 'Korea Electric Power', 'utilities', 20_250, 0.4),
  krx('KOSPI', '034020', 'Doosan Enerbility', 'machinery', 19_840, 0.6),
  krx('KOSDAQ', '247540', 'Ecopro BM', 'batteries', 203_000, 0.6),
  krx('KOSDAQ', '086520', 'Ecopro', 'batteries', 98_700, 0.6),
  krx('KOSDAQ', '196170', 'Alteogen', 'biotech', 296_500, 0.5),
  krx('KOSDAQ', '028300', 'HLB', 'biotech', 84_600, 0.5),
  krx('KOSDAQ', '403870', 'HPSP', 'semiconductors', 36_950, 0.3),
  krx('KOSDAQ', '041510', 'SM Entertainment', 'entertainment', 76_800, 0.2),

  us('NASDAQ', 'AAPL', 'Apple', 'technology', 185.5, 1),
  us('NASDAQ', 'MSFT', 'Microsoft', 'technology', 415.2, 0.9),
  us('NASDAQ', 'NVDA', 'NVIDIA', 'semiconductors', 882.4, 1),
  us('NASDAQ', 'AMD', 'Advanced Micro Devices', 'semiconductors', 178.7, 0.8),
  us('NASDAQ', 'INTC', 'Intel', 'semiconductors', 42.65, 0.8),
  us('NASDAQ', 'AVGO', 'Broadcom', 'semiconductors', 1305.8, 0.4),
  us('NASDAQ', 'AMZN', 'Amazon', 'retail', 178.3, 0.9),
  us('NASDAQ', 'GOOGL', 'Alphabet', 'internet', 147.6, 0.9),
  us('NASDAQ', 'META', 'Meta Platforms', 'internet', 497.1, 0.8),
  us('NASDAQ', 'TSLA', 'Tesla', 'automobiles', 201.6, 1),
  us('NASDAQ', 'NFLX', 'Netflix', 'entertainment', 611.4, 0.5),
  us('NASDAQ', 'COST', 'Costco', 'retail', 733.9, 0.3),
  us('NASDAQ', 'AMGN', 'Amgen', 'biotech', 272.8, 0.3),
  us('NYSE', 'JPM', 'JPMorgan Chase', 'banks', 189.4, 0.7),
  us('NYSE', 'BAC', 'Bank of America', 'banks', 35.82, 0.8),
  us('NYSE', 'XOM', 'Exxon Mobil', 'energy', 108.3, 0.7),
  us('NYSE', 'CVX', 'Chevron', 'energy', 152.9, 0.5),
  us('NYSE', 'JNJ', 'Johnson & Johnson', 'health', 158.2, 0.4),
  us('NYSE', 'UNH', 'UnitedHealth Group', 'health', 489.7, 0.3),
  us('NYSE', 'WMT', 'Walmart', 'retail', 60.45, 0.6),
  us('NYSE', 'DIS', 'Walt Disney', 'entertainment', 111.6, 0.6),
  us('NYSE', 'F', 'Ford', 'automobiles', 12.36, 0.7),

  crypto('BTC-USD', 'Bitcoin', 'coins', 64_120.5, 2, 1, 1),
  crypto('ETH-USD', 'Ether', 'platforms', 3450.18, 2, 1, 1),
  crypto('SOL-USD', 'Solana', 'platforms', 142.655, 3, 5, 0.8),
  crypto('XRP-USD', 'XRP', 'payments', 0.5231, 5, 1, 0.7),
  crypto('ADA-USD', 'Cardano', 'platforms', 0.4524, 5, 1, 0.6),
  crypto('DOGE-USD', 'Dogecoin', 'coins', 0.15872, 5, 1, 0.8),
  crypto('LTC-USD', 'Litecoin', 'coins', 82.41, 2, 1, 0.5),
  crypto('LINK-USD', 'Chainlink', 'platforms', 17.943, 3, 1, 0.5),
  crypto('AVAX-USD', 'Avalanche', 'platforms', 36.28, 2, 1, 0.5),
  crypto('XLM-USD', 'Stellar', 'payments', 0.11305, 5, 1, 0.3)
]

/** Instruments that are listed while the market runs. */
export const laterListings: readonly Listing[] = [
  krx('KOSDAQ', '454910', 'Doosan Robotics', 'machinery', 74_300, 0.4),
  us('NASDAQ', 'ARM', 'Arm Holdings', 'semiconductors', 128.4, 0.6),
  us('NYSE', 'RDDT', 'Reddit', 'internet', 57.75, 0.4),
  crypto('SUI-USD', 'Sui', 'platforms', 1.4267, 4, 1, 0.4)
]

/** Instruments that go to another market or sector and, the time after, back. */
export const moves: ReadonlyArray<Pick<Listing, 'symbol'> & Partial<Pick<Listing, 'market' | 'sector'>>> = [
  { symbol: '247540', market: 'KOSPI' },
  { symbol: 'TSLA', sector: 'technology' },
  { symbol: '034020', sector: 'energy' },
  { symbol: 'DIS', market: 'NASDAQ' },
  { symbol: 'XRP-USD', sector: 'coins' }
]
