import type { Choices } from '../helpers/random.js'
import { BookHistory, type Level, type SideName, type Sides, TrueBook } from './true-book.js'

export interface VenueTrade {
  /** From 1, without a gap. */
  readonly id: number
  readonly price: string
  readonly size: string
  /** Of the taker. */
  readonly side: 'buy' | 'sell'
  /** Microseconds since 1970, later than those of the trade before. */
  readonly time: number
}

/** What has changed at once: each level once, with a size of zero where it is gone. */
export interface Step extends Sides {
  /** The numbers of the first and the last change in it. */
  readonly first: number
  readonly last: number
  readonly trades: readonly VenueTrade[]
}

/** What a venue has of one symbol: every state of its book is known, and every trade. */
export interface Market {
  /** As the server spells it. */
  readonly symbol: string
  readonly priceDecimals: number
  readonly sizeDecimals: number
  readonly book: TrueBook
  /** The states that a follower may hold, whole and of the best ten levels. */
  readonly history: BookHistory
  readonly bestTen: BookHistory
  readonly trades: readonly VenueTrade[]
  /** The best bids and asks that there were: `<bid> <ask>`. */
  readonly tops: ReadonlySet<string>
  /** The number of the last change. */
  readonly sequence: number
  /** Goes on by a step; undefined where nothing more comes. */
  step (): Step | undefined
}

export interface SyntheticOptions {
  readonly symbol: string
  readonly priceDecimals: number
  readonly sizeDecimals: number
  /** Where the middle of the book begins, in ticks. */
  readonly middle: number
  /** The fewest and the most levels of a side. */
  readonly levels: readonly [min: number, max: number]
  /** How many levels of a side a follower sees. */
  readonly depth?: number
}

const MOST_CHANGES = 4
/** How far from the best level, in ticks, a new one comes. */
const REACH = 30

const opposite = { bids: 'asks', asks: 'bids' } as const
/** Towards the middle of the book. */
const inwards = { bids: 1, asks: -1 } as const

/** Makes up what happens in a market, the same for the same choices. It is never crossed. */
export class SyntheticMarket implements Market {
  readonly book = new TrueBook()
  readonly history: BookHistory
  readonly bestTen: BookHistory
  readonly trades: VenueTrade[] = []
  readonly tops = new Set<string>()
  readonly symbol: string
  readonly priceDecimals: number
  readonly sizeDecimals: number
  sequence: number

  constructor (private readonly options: SyntheticOptions, private readonly random: Choices) {
    const { symbol, priceDecimals, sizeDecimals, middle, levels: [, max], depth = Infinity } = options
    this.symbol = symbol
    this.priceDecimals = priceDecimals
    this.sizeDecimals = sizeDecimals
    this.history = new BookHistory(depth)
    this.bestTen = new BookHistory(Math.min(10, depth))
    for (const name of ['bids', 'asks'] as const) {
      for (let at = 1; at < max; at++) {
        this.book.set(name, [this.price(middle - inwards[name] * at * 2), this.size()])
      }
    }
    this.sequence = random.integer(100, 1_000_000)
    this.note()
  }

  step (): Step {
    const first = this.sequence + 1
    const trades = this.trades.length
    const changed = { bids: new Map<string, Level>(), asks: new Map<string, Level>() }
    const set = (name: SideName, level: Level): void => {
      this.book.set(name, level)
      changed[name].delete(level[0])
      changed[name].set(level[0], level)
      // A venue's numbers count orders, of which a level shows only the last.
      this.sequence += this.random.integer(1, 3)
    }
    const most = this.random.integer(1, MOST_CHANGES)
    for (let count = 0; count < most || this.sequence < first; count++) this.change(set)
    for (const name of ['bids', 'asks'] as const) this.refill(name, set)
    this.note()
    return {
      bids: [...changed.bids.values()],
      asks: [...changed.asks.values()],
      first,
      last: this.sequence,
      trades: this.trades.slice(trades)
    }
  }

  private change (set: (name: SideName, level: Level) => void): void {
    const name = this.random.pick(['bids', 'asks'] as const)
    const side = this.book[name]
    const [min, max] = this.options.levels
    const what = this.random.next()
    // Mostly near the best level, as in a real market.
    const at = Math.min(side.length - 1, Math.floor(this.random.next() ** 2 * side.length))
    const [price] = side[at]!
    if (what < 0.45) set(name, [price, this.size()])
    else if (what < 0.65) {
      const free = this.freePrice(name)
      if (free === undefined) return
      set(name, [free, this.size()])
      if (side.length > max) set(name, [side.at(-1)![0], this.zero()])
    } else if (what < 0.8) {
      if (side.length > min) set(name, [price, this.zero()])
    } else this.trade(name, set)
  }

  /** A price that no level has, inside the spread or near the best level. */
  private freePrice (name: SideName): string | undefined {
    const [best, other] = [this.ticks(this.book[name][0]![0]), this.ticks(this.book[opposite[name]][0]![0])]
    const room = Math.abs(other - best) - 1
    const ticks = best + inwards[name] * this.random.integer(-REACH, Math.min(room, 3))
    const price = this.price(ticks)
    return this.book.sizeAt(name, price) === undefined ? price : undefined
  }

  /** Somebody takes some or all of the best level. */
  private trade (name: SideName, set: (name: SideName, level: Level) => void): void {
    const [price, resting] = this.book[name][0]!
    const units = this.units(resting)
    const isWhole = this.random.next() < 0.5 && this.book[name].length > this.options.levels[0]
    const taken = isWhole ? units : this.random.integer(1, Math.max(1, units - 1))
    if (!isWhole && taken >= units) return
    const now = Date.now() * 1000 + this.random.integer(0, 999)
    const time = Math.max(now, (this.trades.at(-1)?.time ?? 0) + 1)
    const side = name === 'asks' ? 'buy' : 'sell'
    this.trades.push({ id: this.trades.length + 1, price, size: this.sizeOf(taken), side, time })
    set(name, [price, isWhole ? this.zero() : this.sizeOf(units - taken)])
  }

  private refill (name: SideName, set: (name: SideName, level: Level) => void): void {
    const side = this.book[name]
    while (side.length < this.options.levels[0]) {
      const far = this.ticks(side.at(-1)![0]) - inwards[name] * this.random.integer(1, 3)
      set(name, [this.price(far), this.size()])
    }
  }

  private note (): void {
    this.history.note(this.book)
    this.bestTen.note(this.book)
    this.tops.add(topOf(this.book))
  }

  private price = (ticks: number): string => decimal(ticks, this.options.priceDecimals)
  private ticks = (price: string): number => Math.round(Number(price) * 10 ** this.options.priceDecimals)
  private sizeOf = (units: number): string => decimal(units, this.options.sizeDecimals)
  private units = (size: string): number => Math.round(Number(size) * 10 ** this.options.sizeDecimals)
  private zero = (): string => this.sizeOf(0)
  private size (): string {
    return this.sizeOf(this.random.integer(1, this.random.pick([99, 99_999, 9_999_999])))
  }
}

export const topOf = ({ bids, asks }: Sides): string => `${bids[0]?.[0]} ${asks[0]?.[0]}`

function decimal (units: number, decimals: number): string {
  if (decimals === 0) return String(units)
  const digits = String(units).padStart(decimals + 1, '0')
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}
