import { type Amount, minus, parseAmount, plus } from '../amount.js'

/** Exact arithmetic on decimals as texts, for the few places where comparing them is not enough. */

/** Returns the integer that a number is at another scale, which is no less than its own. */
export const atScale = ({ digits, scale }: Amount, wanted: number): bigint =>
  wanted === scale ? digits : digits * 10n ** BigInt(wanted - scale)

/** Returns an amount as text, with all digits of its scale. */
export function decimalOf ({ digits, scale }: Amount): string {
  if (scale === 0) return digits.toString()
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0')
  return `${digits < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`
}

export const subtract = (a: string, b: string): string => decimalOf(minus(parseAmount(a), parseAmount(b)))

export const add = (a: string, b: string): string => decimalOf(plus(parseAmount(a), parseAmount(b)))
