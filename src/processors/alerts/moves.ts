import { compareDecimals } from '@tickwire/protocol'
import { type Amount, parseAmount } from '../amount.js'
import { atScale, decimalOf } from './exact.js'
import type { Observed } from './series.js'

/** A window consists of this many parts, and moves on by a whole part. */
const PARTS = 60
/** Decimals of a percentage, in an alert. */
const PERCENT_SCALE = 4

/** Most levels that are kept parsed. */
const MAX_LEVELS = 1000

interface Extreme {
  readonly part: number
  readonly price: string
  readonly exact: Amount
}

/**
 * The lowest or the highest price of a window of time. It keeps at most one price of each part: those that
 * may still become the extreme when older ones leave the window.
 */
class Extremes {
  private readonly kept: Extreme[] = []

  /** @param sign 1: the lowest; -1: the highest */
  constructor (private readonly partMs: number, private readonly sign: 1 | -1) {}

  /** Adds a price, and returns the extreme of the window that ends with it. */
  add (price: string, exact: Amount, time: number): Amount {
    const { kept, sign } = this
    const part = Math.floor(time / this.partMs)
    while (kept.length > 0 && kept[0]!.part <= part - PARTS) kept.shift()
    while (kept.length > 0 && compareDecimals(kept.at(-1)!.price, price) * sign >= 0) kept.pop()
    if (kept.at(-1)?.part !== part) kept.push({ part, price, exact })
    return kept[0]!.exact
  }
}

interface Level {
  readonly digits: bigint
  /** By what a percentage is multiplied to compare with the digits. */
  readonly power: bigint
}

/** How far a price is from another, in percent of that one, exactly. */
class Move implements Observed {
  private base = 1n
  /** A hundred times the difference, in units of the base. */
  private hundredfold = 0n
  /** Levels, parsed: each value is compared with the same few. */
  private readonly levels = new Map<string, Level>()

  set (from: Amount, to: Amount): void {
    const scale = Math.max(from.scale, to.scale)
    this.base = atScale(from, scale)
    this.hundredfold = (atScale(to, scale) - this.base) * 100n
  }

  compare (level: string): number {
    const { digits, power } = this.levels.get(level) ?? this.parse(level)
    const [left, right] = [digits * this.base, this.hundredfold * power]
    return left < right ? -1 : left > right ? 1 : 0
  }

  text (): string {
    const digits = this.hundredfold * 10n ** BigInt(PERCENT_SCALE) / this.base
    return decimalOf({ digits, scale: PERCENT_SCALE })
  }

  private parse (level: string): Level {
    const { digits, scale } = parseAmount(level)
    const parsed = { digits, power: 10n ** BigInt(scale) }
    if (this.levels.size >= MAX_LEVELS) this.levels.clear()
    this.levels.set(level, parsed)
    return parsed
  }
}

/** The moves of a price within a window of time: its rise from the lowest, its fall from the highest. */
export class Moves {
  readonly rise = new Move()
  readonly fall = new Move()
  private readonly lowest: Extremes
  private readonly highest: Extremes

  constructor (windowMs: number) {
    this.lowest = new Extremes(windowMs / PARTS, 1)
    this.highest = new Extremes(windowMs / PARTS, -1)
  }

  /**
   * Adds a price, which must be above 0, and brings {@link rise} and {@link fall} up to it.
   * @param exact the same price
   */
  add (price: string, exact: Amount, time: number): void {
    this.rise.set(this.lowest.add(price, exact, time), exact)
    this.fall.set(this.highest.add(price, exact, time), exact)
  }
}
