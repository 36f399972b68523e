import type { Book, BookLevel } from '@tickwire/protocol'
import type { Listing } from './instruments.js'
import type { Random } from './random.js'
import { above, below, floorToTick, formatUnits } from './ticks.js'

const LEVELS = 10
/** Levels of a side whose size changes at a turn, beside those that must. */
const MAX_STIRRED = 2

type Side = 'bids' | 'asks'

/** An instrument's book: ten levels a side, never crossed, all in whole units. */
export class OrderBook {
  private bids: Array<[price: number, size: number]> = []
  private asks: Array<[price: number, size: number]> = []
  /** What has changed since the last message. */
  private readonly changed = { bids: new Map<number, number>(), asks: new Map<number, number>() }

  constructor (private readonly listing: Listing, private readonly random: Random) {}

  best (side: Side): readonly [price: number, size: number] {
    return this[side][0]!
  }

  /** Takes from the best level what is there of a size. @returns how much was taken */
  take (side: Side, size: number): number {
    const [price, there] = this.best(side)
    const taken = Math.min(size, there)
    this.set(side, price, there - taken)
    this.fill(side)
    return taken
  }

  /** Moves both sides to where the price is: `spread` ticks lie between them. */
  moveTo (value: number, spread: number): void {
    const { tick } = this.listing
    let bid = floorToTick(value, tick)
    for (let i = 1; i < Math.ceil(spread / 2); i++) bid = below(bid, tick)
    let ask = bid
    for (let i = 0; i < spread; i++) ask = above(ask, tick)
    for (const [price] of [...this.bids]) if (price > bid) this.set('bids', price, 0)
    for (const [price] of [...this.asks]) if (price < ask) this.set('asks', price, 0)
    if (this.bids[0]?.[0] !== bid) this.set('bids', bid, this.size(0))
    if (this.asks[0]?.[0] !== ask) this.set('asks', ask, this.size(0))
    for (const side of ['bids', 'asks'] as const) {
      this.fill(side)
      for (let i = this.random.integer(0, MAX_STIRRED); i > 0; i--) {
        const level = this.random.integer(0, LEVELS - 1)
        this.set(side, this[side][level]![0], this.size(level))
      }
    }
  }

  /** The whole book; what had changed is part of it. */
  snapshot (): Book {
    this.changed.bids.clear()
    this.changed.asks.clear()
    const levels = (side: Side): BookLevel[] => this[side].map(([price, size]) => this.format(price, size))
    return { symbol: this.listing.symbol, bids: levels('bids'), asks: levels('asks') }
  }

  /** The levels that have changed; undefined where none has. */
  changes (): Book | undefined {
    const { bids, asks } = this.changed
    if (bids.size + asks.size === 0) return undefined
    const levels = (side: Side, sign: number): BookLevel[] =>
      [...this.changed[side]].sort(([a], [b]) => sign * (a - b)).map(([price, size]) => this.format(price, size))
    const book = { symbol: this.listing.symbol, bids: levels('bids', -1), asks: levels('asks', 1) }
    bids.clear()
    asks.clear()
    return book
  }

  /** Keeps a side at its number of levels: no hole near the best, nothing that is far away. */
  private fill (side: Side): void {
    const { tick } = this.listing
    const levels = this[side]
    while (levels.length > LEVELS) this.set(side, levels.at(-1)![0], 0)
    const next = side === 'bids' ? below : above
    for (let level = 0, price = levels[0]?.[0]; level < LEVELS && price !== undefined; level++, price = next(price, tick)) {
      if (price <= 0) break
      if (levels[level]?.[0] !== price) this.set(side, price, this.size(level))
    }
    while (levels.length > LEVELS) this.set(side, levels.at(-1)![0], 0)
  }

  /** More stands a little behind the best than at it. */
  private size (level: number): number {
    const usual = this.listing.depth * (0.6 + 0.25 * Math.min(level, 4))
    return Math.max(1, Math.round(usual * Math.exp(0.6 * this.random.normal())))
  }

  private set (side: Side, price: number, size: number): void {
    const levels = this[side]
    const before = side === 'bids' ? (other: number) => other > price : (other: number) => other < price
    let index = 0
    while (index < levels.length && before(levels[index]![0])) index++
    const found = levels[index]?.[0] === price
    if (size > 0) levels.splice(index, found ? 1 : 0, [price, size])
    else if (found) levels.splice(index, 1)
    else return
    this.changed[side].set(price, size)
  }

  private format (price: number, size: number): BookLevel {
    return [formatUnits(price, this.listing.scale), formatUnits(size, this.listing.sizeScale)]
  }
}
