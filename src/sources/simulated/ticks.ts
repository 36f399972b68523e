/** The step between a price and the next above it, both in units of the last digit. */
export type TickRule = (price: number) => number

/** Bands of the Korea Exchange since 2023: from a price on, in won, the step. */
const KRX_BANDS: ReadonlyArray<readonly [from: number, tick: number]> = [
  [500_000, 1000], [200_000, 500], [50_000, 100], [20_000, 50], [5000, 10], [2000, 5], [0, 1]
]

export const krxTick: TickRule = price => KRX_BANDS.find(([from]) => price >= from)?.[1] ?? 1

/** A cent, as Regulation NMS has it for prices from one dollar on. */
export const usTick: TickRule = () => 1

export const above = (price: number, rule: TickRule): number => price + rule(price)
export const below = (price: number, rule: TickRule): number => price - rule(price - 1)

/** The highest price of the grid that is not above a value. */
export function floorToTick (value: number, rule: TickRule): number {
  const tick = rule(Math.floor(value))
  return Math.max(tick, Math.floor(value / tick) * tick)
}

/** A decimal from a whole number of units: 18550 with two digits behind the point is `185.50`. */
export function formatUnits (units: number, scale: number): string {
  const sign = units < 0 ? '-' : ''
  const digits = String(Math.abs(units)).padStart(scale + 1, '0')
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}
