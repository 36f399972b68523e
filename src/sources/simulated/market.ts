import type { Quote, Trade } from '@tickwire/protocol'
import type { SourceMessage } from '../source.js'
import type { Listing } from './instruments.js'
import type { Random } from './random.js'

/** A decimal from a whole number of units: 18550 with two digits behind the point is `185.50`. */
export function formatUnits (units: number, scale: number): string {
  const sign = units < 0 ? '-' : ''
  const digits = String(Math.abs(units)).padStart(scale + 1, '0')
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** How many of 100 quotes are followed by a trade. */
const TRADE_PERCENT = 30

/** One instrument's random walk: the bid moves by ticks, the ask stays above it, and trades are at one of them. */
export class Walk {
  private bid: number
  private spread = 1
  private last: number
  private high: number
  private low: number
  private volume = 0
  private trades = 0

  constructor (readonly listing: Listing, private readonly random: Random) {
    this.bid = this.last = this.high = this.low = listing.openTicks
  }

  /** The next quote, and a trade now and then. @param now milliseconds since 1970 */
  step (now: number): SourceMessage[] {
    const { symbol } = this.listing
    this.move()
    const time = new Date(now).toISOString()
    const messages: SourceMessage[] = []
    if (this.random.integer(1, 100) <= TRADE_PERCENT) messages.push({ channel: 'trades', symbol, data: this.trade(time) })
    messages.push({ channel: 'quotes', symbol, data: this.quote(time) })
    return messages
  }

  private move (): void {
    const { openTicks } = this.listing
    const step = this.random.integer(-2, 2)
    // Drawn back towards where the day began, so that a server left alone for weeks still shows a market.
    const pull = this.random.next() < Math.abs(this.bid - openTicks) / openTicks ? Math.sign(openTicks - this.bid) : 0
    this.bid = Math.max(2, this.bid + step + pull)
    this.spread = this.random.integer(1, 3)
  }

  private trade (timestamp: string): Trade {
    const { symbol, sizeScale, maxSize, market = '' } = this.listing
    const side = this.random.next() < 0.5 ? 'buy' : 'sell'
    this.last = side === 'buy' ? this.bid + this.spread : this.bid
    this.high = Math.max(this.high, this.last)
    this.low = Math.min(this.low, this.last)
    const size = this.random.integer(1, maxSize)
    this.volume += size
    return {
      symbol,
      price: this.price(this.last),
      size: formatUnits(size, sizeScale),
      timestamp,
      exchange: market,
      side,
      trade_id: String(++this.trades)
    }
  }

  private quote (time: string): Quote {
    const { symbol, openTicks, sizeScale, maxSize } = this.listing
    const change = this.last - openTicks
    return {
      symbol,
      bid: this.price(this.bid),
      ask: this.price(this.bid + this.spread),
      last: this.price(this.last),
      bid_size: formatUnits(this.random.integer(1, maxSize * 4), sizeScale),
      ask_size: formatUnits(this.random.integer(1, maxSize * 4), sizeScale),
      volume: formatUnits(this.volume, sizeScale),
      change: this.price(change),
      change_percent: formatUnits(Math.round(change / openTicks * 10_000), 2),
      open: this.price(openTicks),
      high: this.price(this.high),
      low: this.price(this.low),
      venue_time: time
    }
  }

  private price (ticks: number): string {
    return formatUnits(ticks * this.listing.tick, this.listing.scale)
  }
}
