/**
 * Exact arithmetic with decimal strings, for what a page adds up itself. A JavaScript number would round
 * prices and amounts.
 */

interface Scaled {
  readonly units: bigint
  /** How many digits of `units` stand behind the point. */
  readonly scale: number
}

const SPELLING = /^-?\d*\.?\d*$/

function scaledOf (decimal: string): Scaled {
  const [whole = '', part = ''] = decimal.split('.')
  return { units: BigInt(whole + part), scale: part.length }
}

function textOf ({ units, scale }: Scaled): string {
  const sign = units < 0n ? '-' : ''
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, '0')
  const [whole, part] = [digits.slice(0, digits.length - scale), digits.slice(digits.length - scale)]
  return `${sign}${whole}${part === '' ? '' : `.${part}`}`
}

const withScale = ({ units, scale }: Scaled, wanted: number): bigint => units * 10n ** BigInt(wanted - scale)

function together (a: string, b: string, join: (a: bigint, b: bigint) => bigint): string {
  const [left, right] = [scaledOf(a), scaledOf(b)]
  const scale = Math.max(left.scale, right.scale)
  return textOf({ units: join(withScale(left, scale), withScale(right, scale)), scale })
}

export const subtract = (a: string, b: string): string => together(a, b, (x, y) => x - y)

export function multiply (a: string, b: string): string {
  const [left, right] = [scaledOf(a), scaledOf(b)]
  const product = textOf({ units: left.units * right.units, scale: left.scale + right.scale })
  return product.includes('.') ? product.replace(/\.?0+$/, '') : product
}

/** Returns whether a decimal is a whole number of steps. @param step above 0 */
export function isMultiple (decimal: string, step: string): boolean {
  const [value, size] = [scaledOf(decimal), scaledOf(step)]
  const scale = Math.max(value.scale, size.scale)
  return withScale(value, scale) % withScale(size, scale) === 0n
}

/**
 * Returns a decimal so many steps further, on the grid of the steps: the first step of a value between two of
 * them goes to the next one.
 * @param step above 0
 */
export function stepped (decimal: string, step: string, times: number): string {
  return together(decimal, step, (value, size) => {
    const below = (value - (value % size + size) % size) / size
    const isBetween = below * size !== value
    return (below + BigInt(times) + (isBetween && times < 0 ? 1n : 0n)) * size
  })
}

/**
 * Reads what a person typed: with separators of thousands, zeros in front, or without the zero before the
 * point.
 * @returns a decimal of the protocol; undefined if it is none
 */
export function readDecimal (typed: string): string | undefined {
  const text = typed.replaceAll(/[\s,_]/g, '')
  if (!SPELLING.test(text) || !/\d/.test(text)) return undefined
  const [whole = '', part = ''] = text.replace('-', '').split('.')
  const digits = whole.replace(/^0+(?=\d)/, '') || '0'
  return `${text.startsWith('-') ? '-' : ''}${digits}${part === '' ? '' : `.${part}`}`
}
