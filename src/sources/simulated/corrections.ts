import type { Trade } from '@tickwire/protocol'
import { tickAbove, tickBelow, type TickRule } from './prices.js'
import type { Random } from './random.js'

/** The share of turns with trades after which the venue corrects an earlier trade. */
const CORRECTED_SHARE = 0.004
/** How often a correction cancels its trade, and how often it only changes the size. */
const CANCELLED_SHARE = 0.3
const RESIZED_SHARE = 0.4
/** How many trades back a correction reaches. */
const REACH = 20

/** A trade, with its price and size in units (prices.ts). */
export interface NotedTrade {
  readonly trade: Trade & { readonly trade_id: string }
  readonly price: number
  readonly size: number
}

/** What a correction says of a trade; a size of 0 cancels it. */
interface Correction {
  readonly of: NotedTrade
  readonly price: number
  readonly size: number
}

/**
 * Corrects and cancels trades of an instrument, now and then. No correction changes the last price, or the
 * open, high and low of the day, so that quotes stay right.
 */
export class Corrections {
  private readonly recent: NotedTrade[] = []

  constructor (private readonly tick: TickRule, private readonly random: Random) {}

  clear (): void {
    this.recent.length = 0
  }

  note (trade: NotedTrade): void {
    this.recent.push(trade)
    if (this.recent.length > REACH) this.recent.shift()
  }

  /** Returns a correction, or undefined, which is most often. */
  draw ({ high, low }: { readonly high: number, readonly low: number }): Correction | undefined {
    const { random, recent, tick } = this
    if (random.next() >= CORRECTED_SHARE || recent.length < 2) return undefined
    const of = recent[random.integer(0, recent.length - 2)]!
    const { price, size } = of
    if (price >= high || price <= low) return undefined
    const kind = random.next()
    if (kind < CANCELLED_SHARE) return { of, price, size: 0 }
    if (kind >= CANCELLED_SHARE + RESIZED_SHARE) {
      return { of, size, price: random.next() < 0.5 ? tickAbove(price, tick) : tickBelow(price, tick) }
    }
    const resized = Math.max(1, Math.round(size * (0.5 + random.next())))
    return resized === size ? undefined : { of, price, size: resized }
  }

  /** Notes that a trade stands as it was corrected; a later correction names the new id. */
  replace (of: NotedTrade, corrected: NotedTrade): void {
    const index = this.recent.indexOf(of)
    if (corrected.size === 0) this.recent.splice(index, 1)
    else this.recent[index] = corrected
  }
}
