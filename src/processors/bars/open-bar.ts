import { type Bar, type BarInterval, compareDecimals } from '@tickwire/protocol'
import { type Amount, divide, formatAmount, minus, NOTHING, parseAmount, plus, times } from '../amount.js'
import { formatStart } from './instant.js'
import { compareTrades, type Trade } from './trade.js'

/** Decimals to which a vwap is rounded. */
const VWAP_DECIMALS = 8

/** What a bar says of its trades. */
export type BarContent =
  Pick<Bar, 'open' | 'high' | 'low' | 'close' | 'volume' | 'vwap' | 'trades' | 'through' | 'partial'>

/** First and last trade, and the extremes. */
interface Prices {
  readonly first: Trade
  readonly last: Trade
  readonly high: string
  readonly low: string
}

/** Stands for trades that are known only in sum: it comes before all others. */
const EDGE: Trade = {
  sequence: 0,
  ms: -Infinity,
  nanos: 0,
  id: '',
  price: '0',
  size: '0',
  corrects: '',
  counts: true,
  isKept: false
}

/** A bar that may still change. */
export class OpenBar {
  /** The newest message of the output topic about this bar. */
  said: Bar | undefined
  /** The sequence of the last message that changed it. */
  through = 0
  /** Set if its trades before this process are known only in sum; then it is {@link Bar.partial} or not. */
  isPartial: boolean | undefined
  /** Nothing changes it any more: the log no longer has its trades. */
  isFinal = false
  /** Whether it may say something else than {@link said}. */
  hasChanged = false
  private trades = 0
  private volume: Amount = NOTHING
  private notional: Amount = NOTHING
  /** Undefined if it has no trade, or if {@link isStale}. */
  private prices: Prices | undefined
  /** Of the trades that cannot be taken back. */
  private base: Prices | undefined
  /** A trade was taken back that may have made its prices. */
  private isStale = false

  /**
   * @param start and {@link end}: milliseconds since 1970
   * @param kept returns the trades of this bar that count and can be taken back
   */
  constructor (
    readonly interval: BarInterval,
    readonly start: number,
    readonly end: number,
    private readonly kept: (bar: OpenBar) => Iterable<Trade>
  ) {}

  get isEmpty (): boolean {
    return this.trades === 0
  }

  /** @param through the sequence of the message that has the trade added */
  add (trade: Trade, through: number): void {
    const size = parseAmount(trade.size)
    this.trades++
    this.volume = plus(this.volume, size)
    this.notional = plus(this.notional, times(size, parseAmount(trade.price)))
    this.through = Math.max(this.through, through)
    if (!this.isStale) this.prices = withTrade(this.prices, trade)
  }

  /** Takes a trade back. @param through the sequence of the message that has it taken back */
  remove (trade: Trade, through: number): void {
    const size = parseAmount(trade.size)
    this.trades--
    this.volume = minus(this.volume, size)
    this.notional = minus(this.notional, times(size, parseAmount(trade.price)))
    this.through = Math.max(this.through, through)
    const { first, last, high, low } = this.prices ?? {}
    if (trade === first || trade === last || trade.price === high || trade.price === low) {
      this.isStale = true
      this.prices = undefined
    }
  }

  /** From now on a trade that it counts cannot be taken back. */
  fold (trade: Trade): void {
    this.base = withTrade(this.base, trade)
  }

  /**
   * Goes on from what a message said of it: the log no longer has all trades of that message.
   * @param known the trades that it has counted; the message has them, too
   */
  goOnFrom (bar: Bar, known: Iterable<Trade>): void {
    const { open, high, low, close, volume, vwap, trades, through, partial } = bar
    let last: Trade | undefined
    for (const trade of known) {
      if (last === undefined || compareTrades(trade, last) > 0) last = trade
      trade.isKept = false
    }
    const edge = { ...EDGE, sequence: through }
    const base = { first: { ...edge, price: open }, last: { ...last ?? edge, price: close }, high, low }
    this.base = trades === 0 ? undefined : base
    this.trades = trades
    this.volume = parseAmount(volume)
    this.notional = times(this.volume, parseAmount(vwap))
    this.through = through
    this.isPartial = partial === true
    this.isStale = false
    this.prices = this.base
  }

  /** Returns what it says now. @param isPartial whether it is, if its trades do not tell */
  content (isPartial: boolean): BarContent {
    const { said, trades, volume } = this
    const { open, high, low, close } = this.pricesNow()
    const partial = this.isPartial ?? isPartial ? { partial: true as const } : {}
    return {
      open,
      high,
      low,
      close,
      volume: formatAmount(volume),
      vwap: this.vwap(close, said),
      trades,
      through: Math.max(this.through, trades === 0 ? said?.through ?? 0 : 0),
      ...partial
    }
  }

  /** Returns whether a message says of it what is so. */
  isSaidBy (bar: Bar, isPartial: boolean): boolean {
    const now = this.content(isPartial)
    return hasSameTrades(now, bar) && now.through === bar.through && now.partial === bar.partial
  }

  /** Returns whether its trades make what a message says of it. */
  hasTradesOf (bar: Bar): boolean {
    return hasSameTrades(this.content(false), bar)
  }

  /** Returns its next message. */
  message (symbol: string, closed: boolean, isPartial: boolean): Bar {
    const { said, interval, start } = this
    const revision = said?.closed === true ? (said.revision ?? 0) + 1 : 0
    const content = this.content(isPartial)
    return { symbol, interval, start: formatStart(start), ...content, closed, ...closed ? { revision } : {} }
  }

  /**
   * Takes note that the log has refused its newest message. What was said before is not known any more, but
   * for its revision; so the bar is said again, whatever it says by then.
   */
  unsay (message: Bar): void {
    const { revision = 0 } = message
    this.said = { ...message, trades: NaN, closed: revision > 0, revision: revision - 1 }
  }

  private vwap (close: string, said: Bar | undefined): string {
    if (this.trades === 0 && said !== undefined) return said.vwap
    // Trades of no size have a price all the same.
    if (this.volume.digits === 0n) return formatAmount(parseAmount(close))
    return formatAmount(divide(this.notional, this.volume, VWAP_DECIMALS))
  }

  private pricesNow (): Pick<Bar, 'open' | 'high' | 'low' | 'close'> {
    if (this.trades === 0) return this.said ?? { open: '0', high: '0', low: '0', close: '0' }
    if (this.isStale) {
      let { base: prices } = this
      for (const trade of this.kept(this)) prices = withTrade(prices, trade)
      this.prices = prices
      this.isStale = false
    }
    const { first, last, high, low } = this.prices!
    return { open: first.price, high, low, close: last.price }
  }
}

function withTrade (prices: Prices | undefined, trade: Trade): Prices {
  const { price } = trade
  if (prices === undefined) return { first: trade, last: trade, high: price, low: price }
  const { first, last, high, low } = prices
  return {
    first: compareTrades(trade, first) < 0 ? trade : first,
    last: compareTrades(trade, last) > 0 ? trade : last,
    high: isBeyond(price, high, 1) ? price : high,
    low: isBeyond(price, low, -1) ? price : low
  }
}

/** Of two spellings of one price, the longer one stands: so it does not matter which came first. */
function isBeyond (price: string, extreme: string, direction: 1 | -1): boolean {
  if (price === extreme) return false
  const difference = compareDecimals(price, extreme) * direction
  if (difference !== 0) return difference > 0
  return price.length !== extreme.length ? price.length > extreme.length : price > extreme
}

function hasSameTrades (now: BarContent, { open, high, low, close, volume, vwap, trades }: Bar): boolean {
  return now.trades === trades && now.volume === volume && now.vwap === vwap &&
    now.open === open && now.high === high && now.low === low && now.close === close
}
