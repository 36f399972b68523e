import type { Instrument } from '@tickwire/protocol'
import { formatUnits, krxTick, type TickRule, unitTick } from './prices.js'

/** How an instrument trades: its spread, its depth, how often it trades, and how far its own price moves. */
export interface Liquidity {
  /** The spread between bid and ask, in hundredths of a percent of the price, where the tick allows it. */
  readonly spreadBasisPoints: number
  /** The value of a level of the book, in dollars. */
  readonly levelDollars: number
  /** The share of turns that are trades, at an ordinary time of day. */
  readonly tradeShare: number
  /** Standard deviation of its own daily return, beside those of its market and its sector. */
  readonly dailyVolatility: number
}

const DEEP: Liquidity = {
  spreadBasisPoints: 0.6, levelDollars: 150_000, tradeShare: 0.3, dailyVolatility: 0.015
}
const MIDDLE: Liquidity = {
  spreadBasisPoints: 3, levelDollars: 40_000, tradeShare: 0.2, dailyVolatility: 0.022
}
const THIN: Liquidity = {
  spreadBasisPoints: 9, levelDollars: 12_000, tradeShare: 0.12, dailyVolatility: 0.032
}

const FOREIGN_EXCHANGE: Liquidity = {
  spreadBasisPoints: 0.8, levelDollars: 1_000_000, tradeShare: 0.2, dailyVolatility: 0.003
}

type ListedField = 'symbol' | 'name' | 'market' | 'sector' | 'currency'

/** An instrument with its first market and sector, and the rules by which it trades. */
export interface Listing extends Required<Pick<Instrument, ListedField>> {
  /** Digits after the point of a price. */
  readonly scale: number
  /** The price about which it moves, in units (prices.ts). */
  readonly price: number
  readonly tick: TickRule
  /** Digits after the point of a size. */
  readonly sizeScale: number
  /** The size of an ordinary level of the book, in units of a size's last digit. */
  readonly levelSize: number
  readonly liquidity: Liquidity
  /** The instrument whose price this one follows: the same coin against another currency. */
  readonly follows?: string
}

const WON_PER_DOLLAR = 1_350

/**
 * Returns what the instruments channel says of a listing. Its tick size is the smallest that it may have: on
 * the Korea Exchange, the tick grows with the price.
 */
export const describe = (listing: Listing): Instrument => {
  const { symbol, market, sector, name, currency, scale, sizeScale } = listing
  return {
    symbol,
    market,
    sector,
    name,
    currency,
    tick_size: formatUnits(1, scale),
    lot_size: formatUnits(1, sizeScale)
  }
}

const korean = (market: string) =>
  (symbol: string, name: string, sector: string, price: number, liquidity: Liquidity): Listing => ({
    symbol,
    name,
    market,
    sector,
    currency: 'KRW',
    scale: 0,
    price,
    tick: krxTick,
    sizeScale: 0,
    levelSize: Math.ceil(liquidity.levelDollars * WON_PER_DOLLAR / price),
    liquidity
  })

const american = (market: string) =>
  (symbol: string, name: string, sector: string, cents: number, liquidity: Liquidity): Listing => ({
    symbol,
    name,
    market,
    sector,
    currency: 'USD',
    scale: 2,
    price: cents,
    tick: unitTick,
    sizeScale: 0,
    levelSize: Math.ceil(liquidity.levelDollars * 100 / cents),
    liquidity
  })

const crypto = (
  symbol: string,
  name: string,
  sector: string,
  scale: number,
  price: number,
  sizeScale: number,
  liquidity: Liquidity
): Listing => ({
  symbol,
  name,
  market: 'CRYPTO',
  sector,
  currency: 'USD',
  scale,
  price,
  tick: unitTick,
  sizeScale,
  levelSize: Math.ceil(liquidity.levelDollars * 10 ** (scale + sizeScale) / price),
  liquidity
})

/** A coin against a stable currency. It follows the price of the same coin in dollars. */
const tether = (follows: Listing): Listing => {
  const base = follows.symbol.slice(0, follows.symbol.indexOf('-'))
  return {
    ...follows,
    symbol: `${base}-USDT`,
    name: `${follows.name} in Tether`,
    currency: 'USDT',
    follows: follows.symbol
  }
}

const currencies = (
  symbol: string, name: string, currency: string, scale: number, price: number, dollars: number
): Listing => ({
  symbol,
  name,
  market: 'FX',
  sector: 'currencies',
  currency,
  scale,
  price,
  tick: unitTick,
  sizeScale: 0,
  levelSize: Math.ceil(FOREIGN_EXCHANGE.levelDollars / dollars),
  liquidity: FOREIGN_EXCHANGE
})

const bitcoin = crypto('BTC-USD', 'Bitcoin', 'layer-1', 2, 6_412_050, 6, DEEP)
const ether = crypto('ETH-USD', 'Ether', 'layer-1', 2, 345_018, 5, DEEP)

const kospi = korean('KOSPI')
const kosdaq = korean('KOSDAQ')
const nasdaq = american('NASDAQ')
const nyse = american('NYSE')

export const listings: readonly Listing[] = [
  kospi('005930', 'Samsung Electronics', 'semiconductors', 71_500, DEEP),
  kospi('000660', 'SK hynix', 'semiconductors', 182_000, DEEP),
  kospi('042700', 'Hanmi Semiconductor', 'semiconductors', 138_400, MIDDLE),
  kospi('373220', 'LG Energy Solution', 'batteries', 392_500, DEEP),
  kospi('006400', 'Samsung SDI', 'batteries', 371_000, MIDDLE),
  kospi('207940', 'Samsung Biologics', 'biotechnology', 812_000, MIDDLE),
  kospi('068270', 'Celltrion', 'biotechnology', 186_300, MIDDLE),
  kospi('005380', 'Hyundai Motor', 'automobiles', 245_000, DEEP),
  kospi('000270', 'Kia', 'automobiles', 113_200, DEEP),
  kospi('035420', 'NAVER', 'internet', 191_500, DEEP),
  kospi('035720', 'Kakao', 'internet', 47_850, DEEP),
  kospi('105560', 'KB Financial Group', 'banks', 68_900, MIDDLE),
  kospi('055550', 'Shinhan Financial Group', 'banks', 44_150, MIDDLE),
  kospi('005490', 'POSCO Holdings', 'steel', 428_500, MIDDLE),
  kospi('051910', 'LG Chem', 'chemicals', 441_000, MIDDLE),
  kospi('015760', 'Korea Electric Power', 'utilities', 21_850, MIDDLE),
  kosdaq('247540', 'Ecopro BM', 'batteries', 203_000, MIDDLE),
  kosdaq('086520', 'Ecopro', 'batteries', 98_700, MIDDLE),
  kosdaq('196170', 'Alteogen', 'biotechnology', 178_500, THIN),
  kosdaq('028300', 'HLB', 'biotechnology', 88_200, THIN),
  kosdaq('293490', 'Kakao Games', 'games', 22_450, THIN),
  kosdaq('263750', 'Pearl Abyss', 'games', 31_650, THIN),
  kosdaq('035900', 'JYP Entertainment', 'entertainment', 67_100, THIN),
  kosdaq('041510', 'SM Entertainment', 'entertainment', 79_400, THIN),
  nasdaq('AAPL', 'Apple', 'technology', 18_550, DEEP),
  nasdaq('MSFT', 'Microsoft', 'technology', 41_520, DEEP),
  nasdaq('GOOGL', 'Alphabet', 'internet', 15_610, DEEP),
  nasdaq('META', 'Meta Platforms', 'internet', 49_785, DEEP),
  nasdaq('NFLX', 'Netflix', 'entertainment', 61_140, MIDDLE),
  nasdaq('AMZN', 'Amazon', 'retail', 17_830, DEEP),
  nasdaq('COST', 'Costco', 'retail', 73_420, MIDDLE),
  nasdaq('NVDA', 'NVIDIA', 'semiconductors', 88_240, DEEP),
  nasdaq('AMD', 'Advanced Micro Devices', 'semiconductors', 17_895, DEEP),
  nasdaq('INTC', 'Intel', 'semiconductors', 4_380, DEEP),
  nasdaq('TSLA', 'Tesla', 'automobiles', 20_160, DEEP),
  nasdaq('MRNA', 'Moderna', 'biotechnology', 10_745, THIN),
  nyse('JPM', 'JPMorgan Chase', 'banks', 19_615, DEEP),
  nyse('BAC', 'Bank of America', 'banks', 3_720, DEEP),
  nyse('V', 'Visa', 'payments', 27_930, MIDDLE),
  nyse('KO', 'Coca-Cola', 'beverages', 6_045, DEEP),
  nyse('WMT', 'Walmart', 'retail', 6_010, DEEP),
  nyse('XOM', 'Exxon Mobil', 'oil-and-gas', 11_380, DEEP),
  nyse('CVX', 'Chevron', 'oil-and-gas', 15_475, MIDDLE),
  nyse('PFE', 'Pfizer', 'pharmaceuticals', 2_765, DEEP),
  nyse('LLY', 'Eli Lilly', 'pharmaceuticals', 77_490, MIDDLE),
  nyse('F', 'Ford Motor', 'automobiles', 1_290, DEEP),
  bitcoin,
  ether,
  crypto('SOL-USD', 'Solana', 'layer-1', 2, 14_265, 3, DEEP),
  crypto('ADA-USD', 'Cardano', 'layer-1', 4, 5_830, 1, MIDDLE),
  crypto('AVAX-USD', 'Avalanche', 'layer-1', 3, 38_420, 2, MIDDLE),
  crypto('DOT-USD', 'Polkadot', 'layer-1', 3, 8_265, 2, THIN),
  crypto('XRP-USD', 'XRP', 'payments', 5, 52_310, 1, MIDDLE),
  crypto('LTC-USD', 'Litecoin', 'payments', 2, 8_412, 3, MIDDLE),
  crypto('BCH-USD', 'Bitcoin Cash', 'payments', 2, 45_170, 4, THIN),
  crypto('DOGE-USD', 'Dogecoin', 'memes', 5, 15_240, 0, MIDDLE),
  crypto('SHIB-USD', 'Shiba Inu', 'memes', 8, 2_418, 0, THIN),
  crypto('LINK-USD', 'Chainlink', 'oracles', 3, 17_245, 2, MIDDLE),
  tether(bitcoin),
  tether(ether),
  currencies('USD-KRW', 'US dollar in won', 'KRW', 2, 135_040, 1),
  currencies('EUR-USD', 'Euro in US dollars', 'USD', 5, 108_420, 1.08),
  currencies('USD-JPY', 'US dollar in yen', 'JPY', 3, 151_320, 1)
]

/** Instruments that are listed while the market runs, in this order; unlike the rest, they are made up. */
export const newcomers: readonly Listing[] = [
  kosdaq('950901', 'Hangang Robotics', 'robotics', 34_200, THIN),
  nasdaq('QBYT', 'Quayside Quantum', 'technology', 2_870, THIN),
  kospi('950902', 'Daemyung Shipworks', 'shipbuilding', 61_300, THIN),
  nyse('HLGX', 'Heliograph Energy', 'utilities', 4_315, THIN),
  kosdaq('950903', 'Namsan Genomics', 'biotechnology', 18_640, THIN),
  nasdaq('PRXM', 'Proximal Networks', 'internet', 5_120, THIN)
]
