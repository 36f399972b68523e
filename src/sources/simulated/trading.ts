import type { Quote, Trade } from '@tickwire/protocol'
import type { SourceMessage } from '../source.js'
import type { Listing } from './instruments.js'
import { OrderBook } from './order-book.js'
import type { Random } from './random.js'
import { formatUnits } from './ticks.js'
import { Volatility } from './volatility.js'

/** Standard deviation of the logarithmic price in a second: about what a lively day has. */
const DEVIATION = 0.0004
/** Of a price's own steps, those of its sector and those of its market. */
const OWN_SHARE = 0.7
/** How fast a price that has gone far is drawn back in a second, so that a server left alone for weeks still shows a market. */
const REVERSION = 0.00002
/** Trades a second of the most liquid instrument, in an ordinary hour. */
const TRADES_PER_SECOND = 0.9
/** Overnight, the price opens elsewhere. */
const OVERNIGHT_DEVIATION = 0.008
/** How long trades seem to go one way. */
const FLOW_PERSISTENCE = 0.7

interface Day {
  readonly previousClose: number
  open: number | undefined
  high: number
  low: number
  volume: number
}

/** One instrument: its price, its book, its trades and what a day of them comes to. All prices are whole units. */
export class Trading {
  /** Logarithm of where the price is drawn to, against the listing's. */
  private drift = 0
  private readonly volatility: Volatility
  private readonly book: OrderBook
  private day: Day
  private last: number
  private trades = 0
  private buying = true
  private begun = false

  /** @param turnSeconds the time between two turns */
  constructor (readonly listing: Listing, private readonly random: Random, private readonly turnSeconds: number) {
    this.volatility = new Volatility(random, OWN_SHARE * DEVIATION * Math.sqrt(turnSeconds))
    this.book = new OrderBook(listing, random)
    this.last = listing.price
    this.day = newDay(listing.price)
  }

  /**
   * One turn: perhaps a trade at the touch, then the book as it moves, then the quote that goes with it.
   * @param common the step of the market and the sector
   * @param bustle how busy the hour is
   * @param time of the market, in milliseconds since 1970
   */
  turn (common: number, bustle: number, time: number): SourceMessage[] {
    const { symbol } = this.listing
    const timestamp = new Date(time).toISOString()
    const messages: SourceMessage[] = []
    if (!this.begun) {
      this.move(common)
      this.begun = true
      messages.push({ channel: 'book', symbol, data: this.book.snapshot(), snapshot: true })
    } else {
      const expected = TRADES_PER_SECOND * this.turnSeconds * bustle * (0.15 + this.listing.liquidity)
      for (let left = expected; left > 0 && this.random.chance(Math.min(left, 0.9)); left -= 0.9) {
        // What the trade before took must be known before the next one, which may be a tick away.
        if (left < expected) this.tellBook(messages)
        messages.push({ channel: 'trades', symbol, data: this.trade(bustle, timestamp) })
      }
      this.move(common)
      this.tellBook(messages)
    }
    messages.push({ channel: 'quotes', symbol, data: this.quote(timestamp) })
    return messages
  }

  /** The next turn gives the whole book. */
  restate (): void {
    this.begun = false
  }

  /** A new day: it opens somewhere else, and counts from nothing. */
  openDay (): void {
    this.day = newDay(this.last)
    this.drift += OVERNIGHT_DEVIATION * this.random.normal()
    this.begun = false
  }

  /** News about it: the price jumps, and is restless for a while. */
  jump (step: number): void {
    this.drift += step
    this.volatility.stir(3)
  }

  private tellBook (messages: SourceMessage[]): void {
    const changes = this.book.changes()
    if (changes !== undefined) messages.push({ channel: 'book', symbol: this.listing.symbol, data: changes })
  }

  private move (common: number): void {
    this.drift += this.volatility.step() + common
    this.drift *= 1 - REVERSION * this.turnSeconds
    const { price, liquidity } = this.listing
    const wide = this.random.chance(1 - liquidity) ? this.random.integer(1, 3) : 0
    this.book.moveTo(price * Math.exp(this.drift), 1 + wide)
  }

  private trade (bustle: number, timestamp: string): Trade {
    const { symbol, market, scale, sizeScale, depth } = this.listing
    if (!this.random.chance(FLOW_PERSISTENCE)) this.buying = this.random.chance(0.5)
    const side = this.buying ? 'asks' : 'bids'
    const [price] = this.book.best(side)
    const size = this.book.take(side, Math.max(1, Math.round(depth * 0.2 * bustle * Math.exp(this.random.normal()))))
    const { day } = this
    this.last = price
    day.open ??= price
    day.high = Math.max(day.high, price)
    day.low = Math.min(day.low, price)
    day.volume += size
    return {
      symbol,
      price: formatUnits(price, scale),
      size: formatUnits(size, sizeScale),
      timestamp,
      exchange: market,
      side: this.buying ? 'buy' : 'sell',
      trade_id: String(++this.trades)
    }
  }

  private quote (time: string): Quote {
    const { symbol, scale, sizeScale } = this.listing
    const { day, last } = this
    const [bid, bidSize] = this.book.best('bids')
    const [ask, askSize] = this.book.best('asks')
    const change = last - day.previousClose
    return {
      symbol,
      bid: formatUnits(bid, scale),
      ask: formatUnits(ask, scale),
      last: formatUnits(last, scale),
      bid_size: formatUnits(bidSize, sizeScale),
      ask_size: formatUnits(askSize, sizeScale),
      volume: formatUnits(day.volume, sizeScale),
      change: formatUnits(change, scale),
      change_percent: formatUnits(Math.round(change / day.previousClose * 10_000), 2),
      ...(day.open === undefined ? {} : { open: formatUnits(day.open, scale), high: formatUnits(day.high, scale), low: formatUnits(day.low, scale) }),
      venue_time: time
    }
  }
}

const newDay = (previousClose: number): Day => ({ previousClose, open: undefined, high: -Infinity, low: Infinity, volume: 0 })
