/**
 * Figures of heatmaps are estimates: prices lie on a grid of the heatmap's own, and densities are rounded.
 */

/** The distance of two levels: `mantissa` (1, 2 or 5) times ten to the power of `exponent`. */
export interface PriceStep {
  readonly mantissa: number
  readonly exponent: number
}

/** Digits of a density: enough for any colour. */
const SIGNIFICANT_DIGITS = 6
/** Digits after the point that a double can still tell apart from noise. */
const MAX_SCALE = 18

/** Publishers may write any decimal. Beyond these bounds it is no price, and no amount, of a market. */
const MIN_PRICE = 1e-12
const MAX_PRICE = 1e18
export const MAX_AMOUNT = 1e30

export const isPrice = (value: number): boolean => value >= MIN_PRICE && value <= MAX_PRICE

/** Returns the largest step of the form 1, 2, 5, 10, … that is not above a share of a price. */
export function stepNear (price: number, share: number): PriceStep {
  const wanted = price * share
  const exponent = Math.floor(Math.log10(wanted))
  const lead = wanted / 10 ** exponent
  return { mantissa: lead >= 5 ? 5 : lead >= 2 ? 2 : 1, exponent }
}

export const stepSize = ({ mantissa, exponent }: PriceStep): number => mantissa * 10 ** exponent

/** Writes so many steps as a decimal, exactly. */
export function writeSteps (count: number, { mantissa, exponent }: PriceStep): string {
  const units = String(count * mantissa)
  if (exponent >= 0) return units === '0' ? units : units + '0'.repeat(exponent)
  const digits = units.padStart(1 - exponent, '0')
  return withoutZeros(`${digits.slice(0, exponent)}.${digits.slice(exponent)}`)
}

/** Writes a figure that is not negative as a decimal of a few digits. */
export function writeFigure (value: number, digits = SIGNIFICANT_DIGITS): string {
  if (value === 0) return '0'
  const rounded = Number(value.toPrecision(digits))
  if (rounded >= 1e21) return BigInt(rounded).toString()
  const scale = digits - 1 - Math.floor(Math.log10(rounded))
  return withoutZeros(rounded.toFixed(Math.min(MAX_SCALE, Math.max(0, scale))))
}

/** Drops zeros at the end of a fraction, and a point without a fraction. */
export const withoutZeros = (decimal: string): string =>
  decimal.includes('.') ? decimal.replace(/\.?0+$/, '') : decimal
