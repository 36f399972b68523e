/**
 * Prices and sizes are whole numbers of units. A unit is the last digit that the venue writes (a won, a
 * cent), so that no rounding ever shows.
 */

/** Writes a whole number of units as a decimal: 18550 with two digits after the point becomes `185.50`. */
export function formatUnits (units: number, scale: number): string {
  const sign = units < 0 ? '-' : ''
  const digits = String(Math.abs(units)).padStart(scale + 1, '0')
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** Returns the price step (tick) at a price, both in units. */
export type TickRule = (price: number) => number

/** The ticks of the Korea Exchange since January 2023, in won: each holds below its price. */
const KRX_TICKS: ReadonlyArray<readonly [below: number, tick: number]> = [
  [2_000, 1], [5_000, 5], [20_000, 10], [50_000, 50], [200_000, 100], [500_000, 500], [Infinity, 1_000]
]

export const krxTick: TickRule = price => KRX_TICKS.find(([below]) => price < below)![1]

/**
 * A tick of one unit at every price: a cent for US shares above a dollar (SEC Rule 612), the last digit of a
 * crypto pair.
 */
export const unitTick: TickRule = () => 1

/** Returns the highest price on the grid that is not above `price`. */
export function floorToTick (price: number, rule: TickRule): number {
  const tick = rule(price)
  return Math.floor(price / tick) * tick
}

/** Returns the lowest price on the grid that is not below `price`. */
export function ceilToTick (price: number, rule: TickRule): number {
  const tick = rule(price)
  return Math.ceil(price / tick) * tick
}

/** Returns the next price on the grid above one on it. */
export const tickAbove = (price: number, rule: TickRule): number => price + rule(price)

/**
 * Returns the next price on the grid below one on it: at the edge of a band, the tick is that of the band
 * below.
 */
export const tickBelow = (price: number, rule: TickRule): number => floorToTick(price - 1, rule)
