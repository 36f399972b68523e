/**
 * Prices and sizes are whole numbers of units, the last digit that the venue writes (won, cents), so that no rounding
 * ever shows.
 */

/** A decimal from a whole number of units: 18550 with two digits behind the point is `185.50`. */
export function formatUnits (units: number, scale: number): string {
  const sign = units < 0 ? '-' : ''
  const digits = String(Math.abs(units)).padStart(scale + 1, '0')
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** The price step at a price, both in units. */
export type TickRule = (price: number) => number

/** Price steps of the Korea Exchange since January 2023, in won: below each price, the step. */
const KRX_TICKS: ReadonlyArray<readonly [below: number, tick: number]> = [
  [2_000, 1], [5_000, 5], [20_000, 10], [50_000, 50], [200_000, 100], [500_000, 500], [Infinity, 1_000]
]

export const krxTick: TickRule = price => KRX_TICKS.find(([below]) => price < below)![1]

/** One unit at every price: a cent for US shares above a dollar (SEC Rule 612), the last digit of a crypto pair. */
export const unitTick: TickRule = () => 1

/** The highest price on the grid that is not above `price`. */
export function floorToTick (price: number, rule: TickRule): number {
  const tick = rule(price)
  return Math.floor(price / tick) * tick
}

/** The lowest price on the grid that is not below `price`. */
export function ceilToTick (price: number, rule: TickRule): number {
  const tick = rule(price)
  return Math.ceil(price / tick) * tick
}

/** The next price of the grid above one of it. */
export const tickAbove = (price: number, rule: TickRule): number => price + rule(price)

/** The next price of the grid below one of it: at a band's edge, the step is that of the band below. */
export const tickBelow = (price: number, rule: TickRule): number => floorToTick(price - 1, rule)
