import type { Quote, Trade } from '@tickwire/protocol'
import type { SourceMessage } from '../source.js'
import { Corrections } from './corrections.js'
import { Drift, NIGHT_PACE } from './drift.js'
import type { Listing } from './instruments.js'
import { Leverage, type TakerTrade } from './leverage.js'
import { OrderBook } from './order-book.js'
import { floorToTick, formatUnits } from './prices.js'
import { Random } from './random.js'
import type { Venue } from './venue.js'

/** The largest share of turns that are trades, however wild the market is: makers must find a price, too. */
const MAX_TRADE_SHARE = 0.6
/**
 * The part of an ordinary level that an ordinary trade takes, and the standard deviation of its logarithm.
 */
const TRADE_SIZE = { part: 0.12, scatter: 1.1 }
/** How much of the direction of trades follows from the fair price; the rest is chance. */
const INFORMED = 0.8
/** While prices are wild, makers ask for up to this many times the ordinary spread. */
const MAX_WIDENING = 4
/**
 * How far the close before the first day lies from the first price: standard deviation, as a part of the
 * price.
 */
const FIRST_CHANGE = 0.012

/** The day of an instrument up to now. */
interface Day {
  readonly number: number
  readonly previousClose: number
  open: number
  high: number
  low: number
  volume: number
}

/** The parts that an instrument shares with others, and when it begins. */
export interface TradingContext {
  readonly venue: Venue
  /** The drift that its whole sector has in common. */
  readonly sector: Drift
  readonly seed: number
  /** When it begins, in milliseconds of the market's clock. */
  readonly time: number
}

/**
 * One instrument. At each of its turns either takers trade at the touch, or makers move the book; then a
 * quote states the result. The update of the book always follows the trades that caused it, and the quote
 * follows both.
 */
export class Trading {
  private readonly random: Random
  private readonly own: Drift
  private readonly book: OrderBook
  private readonly corrections: Corrections
  /** Only coins against Tether are traded with borrowed money. */
  private readonly leverage: Leverage | undefined
  /** Keeps the ids of trades apart from those of an earlier run of the server. */
  private readonly tradePrefix: string
  private trades = 0
  private venue: Venue
  private sector: Drift
  private day: Day | undefined
  private last: number
  /** Whether the whole book has been published, so that updates may follow. */
  private stated = false

  constructor (private current: Listing, { venue, sector, seed, time }: TradingContext) {
    const { symbol, price, tick, liquidity, follows = symbol } = current
    this.random = Random.of(seed, `trading ${symbol}`)
    this.own = new Drift(Random.of(seed, `drift ${follows}`), liquidity.dailyVolatility, time)
    this.book = new OrderBook(current, Random.of(seed, `book ${symbol}`))
    this.corrections = new Corrections(tick, Random.of(seed, `corrections ${symbol}`))
    this.leverage = current.follows === undefined ? undefined : new Leverage()
    this.tradePrefix = `${Math.floor(time).toString(36)}-`
    this.venue = venue
    this.sector = sector
    this.last = floorToTick(price * (1 + FIRST_CHANGE * this.random.normal()), tick)
  }

  get listing (): Listing {
    return this.current
  }

  /**
   * Moves it to another market or sector. Its price stays, although the price includes the sector's drift.
   */
  move (listing: Listing, venue: Venue, sector: Drift): void {
    this.own.value += this.sector.value - sector.value
    this.current = listing
    this.venue = venue
    this.sector = sector
  }

  /** Applies news: the price changes at once, and is wild for a while. */
  shock (size: number): void {
    this.own.shock(size)
  }

  /** Makes it publish its whole book again, because messages may be lost. */
  restate (): void {
    this.stated = false
  }

  /** Returns what happens at a time of the market's clock; nothing while its market is not open. */
  turn (time: number): SourceMessage[] {
    if (!this.venue.open) return []
    const timestamp = new Date(time).toISOString()
    const messages: SourceMessage[] = []
    const begins = this.day?.number !== this.venue.day
    this.own.advance(time, begins ? NIGHT_PACE : 1)
    if (begins) {
      this.book.clear()
      this.corrections.clear()
      this.stated = false
    }
    const fair = this.fairPrice()
    if (!this.stated) {
      this.requote(fair)
      messages.push(this.message('book', this.book.snapshot(), true))
      this.stated = true
      // The first trade of a day makes its opening price, so no quote comes before it.
      if (begins) messages.push(...this.trade(fair, time, timestamp))
    } else {
      const forced = this.leverage?.next()
      const trades = this.book.deep && (forced !== undefined || this.random.next() < this.tradeShare(time))
      if (trades) {
        messages.push(...this.trade(fair, time, timestamp, forced), ...this.correction())
      } else {
        this.requote(fair)
        messages.push(this.message('book', this.book.changes()))
      }
    }
    messages.push(this.message('quotes', this.quote(timestamp)))
    return messages
  }

  private fairPrice (): number {
    return this.current.price * Math.exp(this.venue.drift.value + this.sector.value + this.own.value)
  }

  private requote (fair: number): void {
    const spread = fair * this.current.liquidity.spreadBasisPoints / 10_000
    this.book.requote(fair, spread * Math.min(MAX_WIDENING, Math.max(1, this.own.volatility)))
  }

  private tradeShare (time: number): number {
    return Math.min(MAX_TRADE_SHARE, this.current.liquidity.tradeShare * this.liveliness(time))
  }

  private liveliness (time: number): number {
    return this.venue.activity(time) * Math.sqrt(this.own.volatility)
  }

  private trade (fair: number, time: number, timestamp: string, forced?: TakerTrade): SourceMessage[] {
    const { book, current: { symbol, market, scale, sizeScale } } = this
    const { side, amount } = forced ?? this.drawTrade(fair, time)
    const fills = book.take(side === 'buy' ? book.asks : book.bids, amount)
    if (forced !== undefined) this.leverage!.settle(forced, fills.reduce((sum, { size }) => sum + size, 0))
    const messages = fills.map(({ price, size }) => {
      const opens = this.day?.number !== this.venue.day
      this.count(price, size)
      this.leverage?.note(price, size, side, time)
      const trade = {
        symbol,
        price: formatUnits(price, scale),
        size: formatUnits(size, sizeScale),
        timestamp,
        exchange: market,
        side,
        trade_id: this.nextTradeId()
      } satisfies Trade
      // The opening price of the day stands.
      if (!opens) this.corrections.note({ trade, price, size })
      return this.message('trades', trade)
    })
    return [...messages, this.message('book', book.changes())]
  }

  private drawTrade (fair: number, time: number): TakerTrade {
    const { random, book, current: { levelSize } } = this
    const bid = book.bids.best.price
    const ask = book.asks.best.price
    const lean = Math.max(-1, Math.min(1, (2 * fair - bid - ask) / (ask - bid)))
    const side = random.next() < (1 + INFORMED * lean) / 2 ? 'buy' : 'sell'
    const scatter = Math.exp(TRADE_SIZE.scatter * random.normal())
    const amount = levelSize * TRADE_SIZE.part * this.liveliness(time) * scatter
    return { side, amount: Math.max(1, Math.round(amount)) }
  }

  /** Returns a correction of a recent trade, now and then. The day's figures include it. */
  private correction (): SourceMessage[] {
    const { day, current: { scale, sizeScale } } = this
    const correction = this.corrections.draw(day!)
    if (correction === undefined) return []
    const { of, price, size } = correction
    day!.volume += size - of.size
    const trade = {
      ...of.trade,
      price: formatUnits(price, scale),
      size: size === 0 ? '0' : formatUnits(size, sizeScale),
      trade_id: this.nextTradeId(),
      corrects: of.trade.trade_id
    }
    this.corrections.replace(of, { trade, price, size })
    return [this.message('trades', trade)]
  }

  private nextTradeId (): string {
    return this.tradePrefix + String(++this.trades)
  }

  private count (price: number, size: number): void {
    const { day, venue } = this
    if (day?.number === venue.day) {
      day.high = Math.max(day.high, price)
      day.low = Math.min(day.low, price)
      day.volume += size
    } else {
      const { last: previousClose } = this
      this.day = { number: venue.day, previousClose, open: price, high: price, low: price, volume: size }
    }
    this.last = price
  }

  private quote (time: string): Quote {
    const { book, last, current: { symbol, scale, sizeScale } } = this
    const { previousClose, open, high, low, volume } = this.day!
    const bid = book.bids.best
    const ask = book.asks.best
    const change = last - previousClose
    return {
      symbol,
      bid: formatUnits(bid.price, scale),
      ask: formatUnits(ask.price, scale),
      last: formatUnits(last, scale),
      bid_size: formatUnits(bid.size, sizeScale),
      ask_size: formatUnits(ask.size, sizeScale),
      volume: formatUnits(volume, sizeScale),
      change: formatUnits(change, scale),
      change_percent: formatUnits(Math.round(change / previousClose * 10_000), 2),
      open: formatUnits(open, scale),
      high: formatUnits(high, scale),
      low: formatUnits(low, scale),
      venue_time: time
    }
  }

  private message (
    channel: string, data: Quote | Trade | ReturnType<OrderBook['changes']>, snapshot = false
  ): SourceMessage {
    return { channel, symbol: this.current.symbol, data, ...(snapshot ? { snapshot } : {}) }
  }
}
