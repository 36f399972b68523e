/** Exact arithmetic on decimals, for the few places where comparing them is not enough. */

/** An integer, and how many of its digits stand behind the point. */
export interface Scaled {
  readonly digits: bigint
  readonly scale: number
}

export function scaled (decimal: string): Scaled {
  const dot = decimal.indexOf('.')
  if (dot < 0) return { digits: BigInt(decimal), scale: 0 }
  return { digits: BigInt(decimal.slice(0, dot) + decimal.slice(dot + 1)), scale: decimal.length - dot - 1 }
}

/** Returns the integer that a number is at another scale, which is no less than its own. */
export const atScale = ({ digits, scale }: Scaled, wanted: number): bigint =>
  wanted === scale ? digits : digits * 10n ** BigInt(wanted - scale)

export function decimalOf ({ digits, scale }: Scaled): string {
  if (scale === 0) return digits.toString()
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0')
  return `${digits < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`
}

export function subtract (a: string, b: string): string {
  const [left, right] = [scaled(a), scaled(b)]
  const scale = Math.max(left.scale, right.scale)
  return decimalOf({ digits: atScale(left, scale) - atScale(right, scale), scale })
}

/** Returns the sum. A decimal without its sign is the shorter form of the opposite. */
export const add = (a: string, b: string): string => subtract(a, b.startsWith('-') ? b.slice(1) : `-${b}`)
