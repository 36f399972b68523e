import {
  isPrice, MAX_AMOUNT, type PriceStep, stepNear, stepSize, writeFigure, writeSteps
} from './numbers.js'

/** What part of new positions has which leverage. */
const BANDS = [
  { leverage: 10, share: 0.4 },
  { leverage: 25, share: 0.3 },
  { leverage: 50, share: 0.2 },
  { leverage: 100, share: 0.1 }
] as const
/** A position is liquidated when this part of its value is left as margin. */
const MAINTENANCE_MARGIN = 0.004
/** The part of a trade's value that opens positions; the rest closes some, or is not borrowed. */
const OPENING_SHARE = 0.3
/** After this time by the clock of the trades, holders have closed half of their positions themselves. */
const HALF_LIFE_MS = 4 * 3_600_000
/** The distance of levels, as a share of the price when the model began. */
const STEP_SHARE = 0.0005
/** The model begins anew if the price is so many times what it was when it began: its steps fit no more. */
const MAX_CHANGE = 4
/** Levels further away than this share of the price are forgotten. */
const REACH = 0.3
/** Values are in a unit that grows, so that no value has to shrink; it is renewed after some doublings. */
const MAX_DOUBLINGS = 64
/** Values below this part of the largest are nothing. */
const NEGLIGIBLE = 1e-6

/** Keeps a price on the grid from falling to the next line. */
const ROUNDING = 1e-9

/** Positions that would be liquidated at one price. */
interface Level {
  /** Their value in the currency of the price, in the unit of {@link LiquidationModel.unit}. */
  long: number
  short: number
  longCount: number
  shortCount: number
}

export interface ModelTrade {
  readonly price: number
  readonly size: number
  /** Of the taker, who opens the positions; undefined: half of it buys. */
  readonly side: 'buy' | 'sell' | undefined
  /** In milliseconds since 1970. */
  readonly time: number
}

/** The value of positions that a trade has liquidated. */
export interface Liquidated {
  readonly long: number
  readonly short: number
}

const NOTHING: Liquidated = { long: 0, short: 0 }

export interface LiquidationMap {
  readonly priceStep: string
  /** Lowest price first: price, long, short. */
  readonly levels: readonly [string, string, string][]
  readonly created: number
  readonly consumed: number
}

/**
 * Estimates at which prices positions with borrowed money would be liquidated, from trades alone. Each trade
 * opens positions at its price, some in each band of leverage. A position is liquidated, and so consumed,
 * when a trade reaches its price. At any time all prices of long positions are below the last price, and all
 * of short positions above it.
 */
export class LiquidationModel {
  private readonly levels = new Map<number, Level>()
  private step: PriceStep | undefined
  private size = 0
  private firstPrice = 0
  private last = 0
  private clock = 0
  /** When a unit of value was worth one. */
  private unitTime = 0
  created = 0
  consumed = 0

  /** Takes a trade. @returns what it liquidated */
  trade ({ price, size, side, time }: ModelTrade): Liquidated {
    if (!(isPrice(price) && size > 0 && price * size <= MAX_AMOUNT)) return NOTHING
    this.clock = Math.max(this.clock, time)
    const liquidated = this.step === undefined ? NOTHING : this.consume(price)
    const isFar = price > this.firstPrice * MAX_CHANGE || price < this.firstPrice / MAX_CHANGE
    if (this.step === undefined || isFar) this.begin(price)
    this.last = price
    this.renewUnit()
    const value = price * size * OPENING_SHARE * this.unit()
    const long = side === 'buy' ? value : side === 'sell' ? 0 : value / 2
    for (const { leverage, share } of BANDS) {
      const distance = 1 / leverage - MAINTENANCE_MARGIN
      if (long > 0) this.open('long', price * (1 - distance), long * share)
      if (value > long) this.open('short', price * (1 + distance), (value - long) * share)
    }
    return liquidated
  }

  /** Returns the levels with positions; undefined before the first trade. */
  map (): LiquidationMap | undefined {
    const { step, levels, created, consumed } = this
    if (step === undefined) return undefined
    this.forget()
    const unit = this.unit()
    const write = (value: number): string => writeFigure(value / unit)
    const sorted = [...levels].sort(([a], [b]) => a - b)
    return {
      priceStep: writeSteps(1, step),
      levels: sorted.map(([index, { long, short }]) => [writeSteps(index, step), write(long), write(short)]),
      created,
      consumed
    }
  }

  private begin (price: number): void {
    this.step = stepNear(price, STEP_SHARE)
    this.size = stepSize(this.step)
    this.firstPrice = this.last = price
    this.unitTime = this.clock
    this.levels.clear()
  }

  private open (side: 'long' | 'short', price: number, value: number): void {
    // Rounded away from the present price, so that it cannot be liquidated at once.
    const place = price / this.size
    const index = side === 'long' ? Math.floor(place + ROUNDING) : Math.ceil(place - ROUNDING)
    let level = this.levels.get(index)
    if (level === undefined) {
      this.levels.set(index, level = { long: 0, short: 0, longCount: 0, shortCount: 0 })
    }
    level[side] += value
    level[side === 'long' ? 'longCount' : 'shortCount']++
    this.created++
  }

  /** Liquidates what lies between the last price and a new one, both included. */
  private consume (price: number): Liquidated {
    if (price === this.last) return NOTHING
    const low = Math.ceil(Math.min(price, this.last) / this.size)
    const high = Math.floor(Math.max(price, this.last) / this.size)
    if (high < low) return NOTHING
    // A price may leap far beyond all levels.
    const isFar = high - low > this.levels.size
    const passed = isFar
      ? [...this.levels.keys()].filter(index => index >= low && index <= high)
      : Array.from({ length: high - low + 1 }, (_, at) => low + at)
    let [long, short] = [0, 0]
    for (const index of passed) {
      const level = this.levels.get(index)
      if (level === undefined) continue
      if (price < this.last) {
        long += level.long
        this.consumed += level.longCount
        level.long = level.longCount = 0
      } else {
        short += level.short
        this.consumed += level.shortCount
        level.short = level.shortCount = 0
      }
      if (level.long === 0 && level.short === 0) this.levels.delete(index)
    }
    const unit = this.unit()
    return { long: long / unit, short: short / unit }
  }

  /** What one unit of new value counts now: twice as much after each half-life. */
  private unit (): number {
    return 2 ** ((this.clock - this.unitTime) / HALF_LIFE_MS)
  }

  private renewUnit (): void {
    const unit = this.unit()
    if (unit < 2 ** MAX_DOUBLINGS) return
    for (const level of this.levels.values()) {
      level.long /= unit
      level.short /= unit
    }
    this.unitTime = this.clock
    this.forget()
  }

  /** Forgets levels that are nothing, or too far away. */
  private forget (): void {
    const { levels, last, size } = this
    let largest = 0
    for (const { long, short } of levels.values()) largest = Math.max(largest, long, short)
    for (const [index, { long, short }] of levels) {
      const isFar = Math.abs(index * size / last - 1) > REACH
      if (isFar || Math.max(long, short) < largest * NEGLIGIBLE) levels.delete(index)
    }
  }
}
