import type { Book, Trade } from '@tickwire/protocol'
import { decimal, shown } from './decimal.js'
import type { Fill } from './judge-orders.js'
import type { Entry } from './reading.js'

/** What a market displayed and traded, as the log has it. */
export interface ShownMarket {
  readonly symbol: string
  readonly books: ReadonlyArray<Entry<Book>>
  readonly trades: ReadonlyArray<Entry<Trade>>
}

export interface DisplayedVerdict {
  readonly violations: readonly string[]
  /** Fills at the price of a displayed level, at a limit when a book or a trade came, and all others. */
  readonly fills: { readonly atLevels: number, readonly atLimits: number, readonly others: number }
}

/** Of whoever takes it: buyers take asks. */
type Taker = Fill['side']
const SIDES = [['buy', 'asks'], ['sell', 'bids']] as const

/** Prices of made-up levels have more decimals than limits, which are in hundredths. */
const isOfLevel = ({ price }: Fill): boolean => /\.\d{3}/.test(price)

/** Judges whether anything displayed, or traded, was given out twice: over the fills of all users. */
export function judgeDisplayed (market: ShownMarket, fills: readonly Fill[]): DisplayedVerdict {
  const { symbol } = market
  const shownLevels = replay(market)
  const faults: string[] = []
  const atLevels = fills.filter(isOfLevel)
  for (const [level, taken] of sums(atLevels, ({ side, price }) => `${side} ${decimal(price)}`)) {
    const displayed = shownLevels.sizes.get(level)
    const [side, price] = level.split(' ')
    const what = `${shown(taken)} to ${side} at ${shown(BigInt(price!))}`
    if (displayed === undefined) faults.push(`${what}, which was never displayed`)
    else if (taken > displayed) faults.push(`${what}, where ${shown(displayed)} was displayed`)
  }
  const atLimits = fills.filter(fill => !isOfLevel(fill) && shownLevels.offers.has(fill.time))
  for (const [time, taken] of sums(atLimits, fill => fill.time)) {
    const then = atLimits.filter(fill => fill.time === time)
    const offered = offeredTo(then, shownLevels.offers.get(time)!)
    if (taken > offered) faults.push(`${shown(taken)} at limits at ${new Date(time).toISOString()}, where ${shown(offered)} was offered`)
  }
  for (const [side] of SIDES) {
    const taken = total(fills.filter(fill => fill.side === side).map(({ quantity }) => quantity))
    const levels = [...shownLevels.sizes].filter(([level]) => level.startsWith(side))
    const displayed = levels.map(([, size]) => size)
    const offered = total([...displayed, ...market.trades.map(({ data: { size } }) => decimal(size))])
    if (taken > offered) faults.push(`${shown(taken)} to ${side}, where ${shown(offered)} was offered in all`)
  }
  const others = fills.length - atLevels.length - atLimits.length
  return {
    violations: faults.map(text => `${symbol}: given out: ${text}`),
    fills: { atLevels: atLevels.length, atLimits: atLimits.length, others }
  }
}

/** Something that may fill resting orders: the levels of a book as a message left it, or a trade. */
interface Offer {
  /** Undefined: buyers and sellers share it, as a trade. */
  readonly to: Taker | undefined
  readonly price: bigint
  readonly size: bigint
}

interface Shown {
  /** By taker and price, the sum of all sizes that were displayed anew. */
  readonly sizes: ReadonlyMap<string, bigint>
  /** By the time of the message. */
  readonly offers: ReadonlyMap<number, readonly Offer[]>
}

function replay ({ books, trades }: ShownMarket): Shown {
  const sizes = new Map<string, bigint>()
  const offers = new Map<number, Offer[]>()
  const offer = (time: number, ...some: Offer[]): void => {
    offers.set(time, [...offers.get(time) ?? [], ...some])
  }
  const levels = { buy: new Map<bigint, bigint>(), sell: new Map<bigint, bigint>() }
  for (const { data, time, isSnapshot } of books) {
    for (const [taker, side] of SIDES) {
      const before = levels[taker]
      const after = new Map(isSnapshot ? [] : before)
      for (const [price, size] of data[side]) {
        if (decimal(size) === 0n) after.delete(decimal(price))
        else after.set(decimal(price), decimal(size))
      }
      for (const [price, size] of after) {
        const level = `${taker} ${price}`
        if (before.get(price) !== size) sizes.set(level, (sizes.get(level) ?? 0n) + size)
      }
      levels[taker] = after
      offer(time, ...[...after].map(([price, size]) => ({ to: taker, price, size })))
    }
  }
  for (const { data: { price, size }, time } of trades) {
    offer(time, { to: undefined, price: decimal(price), size: decimal(size) })
  }
  return { sizes, offers }
}

/** Returns how much of some offers is within the limits of at least one of those who were filled by them. */
function offeredTo (fills: readonly Fill[], offers: readonly Offer[]): bigint {
  const isWithin = (fill: Fill, { to, price }: Offer): boolean => {
    if (to !== undefined && to !== fill.side) return false
    const better = fill.side === 'buy' ? decimal(fill.price) - price : price - decimal(fill.price)
    // A trade must go through the limit; a level may be at it.
    return to === undefined ? better > 0n : better >= 0n
  }
  return total(offers.filter(offer => fills.some(fill => isWithin(fill, offer))).map(({ size }) => size))
}

function sums<Key> (fills: readonly Fill[], keyOf: (fill: Fill) => Key): Map<Key, bigint> {
  const sum = new Map<Key, bigint>()
  for (const fill of fills) sum.set(keyOf(fill), (sum.get(keyOf(fill)) ?? 0n) + fill.quantity)
  return sum
}

const total = (values: readonly bigint[]): bigint => values.reduce((sum, value) => sum + value, 0n)
