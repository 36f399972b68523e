import { Choices } from '../helpers/random.js'

/** What the users of a run ask for, made of a seed. */

/** The price about which all made-up markets move, in hundredths. */
export const MIDDLE_CENTS = 10_000
/** How far from it limits and stops are, at most. */
const REACH_CENTS = 60
const MOST_COPIES = 5
const MOST_QUANTITY = 12

/** An order as a client sends it, but for its action. */
export interface Terms {
  readonly client_order_id: string
  readonly symbol: string
  readonly side: 'buy' | 'sell'
  readonly order_type: 'market' | 'limit' | 'stop' | 'stop_limit'
  readonly quantity: string
  readonly time_in_force: 'day' | 'gtc' | 'ioc' | 'fok'
  readonly limit_price?: string
  readonly stop_price?: string
}

/** What a user does once an order is accepted: `conflict` is the same order with another quantity. */
export type Sequel = 'none' | 'cancel' | 'replace' | 'conflict'

export interface PlannedOrder {
  readonly user: string
  readonly terms: Terms
  /** When each copy is sent, in milliseconds after the first. */
  readonly copiesAt: readonly number[]
  readonly sequel: Sequel
  /** Where, and over what, it is sent. */
  readonly random: Choices
}

export interface PlanOptions {
  readonly seed: number
  readonly orders: number
  readonly users: readonly string[]
  readonly symbols: readonly string[]
  /** The latest copy is sent so long after the first. */
  readonly spreadMs: number
}

export const userNames = (count: number): string[] => Array.from({ length: count }, (_, index) => `user${index}`)
export const symbolNames = (count: number): string[] => Array.from({ length: count }, (_, index) => `S${index}`)

export function plan ({ seed, orders, users, symbols, spreadMs }: PlanOptions): PlannedOrder[] {
  const random = new Choices(seed)
  return Array.from({ length: orders }, (_, index) => {
    const user = users[index % users.length]!
    return {
      user,
      terms: termsOf(`${user}-${index}`, random.pick(symbols), random),
      copiesAt: copiesAt(random, spreadMs),
      sequel: sequelOf(random),
      random: new Choices(seed * 100_003 + index)
    }
  })
}

/** Makes an order that a market about the middle may fill, now or later. */
export function termsOf (id: string, symbol: string, random: Choices): Terms {
  const one = {
    client_order_id: id,
    symbol,
    side: random.chance(0.6) ? 'buy' as const : 'sell' as const,
    quantity: String(random.integer(1, MOST_QUANTITY))
  }
  const kind = random.next()
  if (kind < 0.25) return { ...one, order_type: 'market', time_in_force: random.pick(['day', 'ioc', 'fok']) }
  if (kind < 0.92) {
    const force = random.pick(['gtc', 'gtc', 'gtc', 'day', 'ioc', 'fok'] as const)
    return { ...one, order_type: 'limit', time_in_force: force, limit_price: price(random) }
  }
  const stop = { ...one, time_in_force: random.pick(['day', 'gtc'] as const), stop_price: price(random) }
  return kind < 0.96
    ? { ...stop, order_type: 'stop' }
    : { ...stop, order_type: 'stop_limit', limit_price: price(random) }
}

/** A price of hundredths; the levels of made-up books have more decimals, so that no limit is one of them. */
const price = (random: Choices): string =>
  cents(MIDDLE_CENTS + random.integer(-REACH_CENTS, REACH_CENTS))

export const cents = (count: number): string => (count / 100).toFixed(2)

/** Once to five times, some at once and some later. */
function copiesAt (random: Choices, spreadMs: number): number[] {
  return Array.from({ length: random.integer(1, MOST_COPIES) }, (_, index) =>
    index === 0 || random.chance(0.4) ? 0 : random.integer(1, spreadMs))
}

function sequelOf (random: Choices): Sequel {
  const sequel = random.next()
  if (sequel < 0.15) return 'cancel'
  if (sequel < 0.3) return 'replace'
  return sequel < 0.35 ? 'conflict' : 'none'
}
