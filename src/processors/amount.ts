/** An exact decimal: `digits` / 10^`scale`. */
export interface Amount {
  readonly digits: bigint
  readonly scale: number
}

export const NOTHING: Amount = { digits: 0n, scale: 0 }

/** @param text matches DECIMAL_PATTERN of the protocol */
export function parseAmount (text: string): Amount {
  const dot = text.indexOf('.')
  if (dot < 0) return { digits: BigInt(text), scale: 0 }
  return { digits: BigInt(text.slice(0, dot) + text.slice(dot + 1)), scale: text.length - dot - 1 }
}

const powerOfTen = (exponent: number): bigint => 10n ** BigInt(exponent)

export function plus (a: Amount, b: Amount): Amount {
  if (a.scale === b.scale) return { digits: a.digits + b.digits, scale: a.scale }
  return a.scale > b.scale
    ? { digits: a.digits + b.digits * powerOfTen(a.scale - b.scale), scale: a.scale }
    : { digits: a.digits * powerOfTen(b.scale - a.scale) + b.digits, scale: b.scale }
}

export const minus = (a: Amount, { digits, scale }: Amount): Amount => plus(a, { digits: -digits, scale })

export const times = (a: Amount, b: Amount): Amount =>
  ({ digits: a.digits * b.digits, scale: a.scale + b.scale })

/** Returns an amount as text, without zeros at the end of its fraction. */
export function formatAmount ({ digits, scale }: Amount): string {
  if (scale === 0 || digits === 0n) return digits.toString()
  const isNegative = digits < 0n
  const text = (isNegative ? -digits : digits).toString().padStart(scale + 1, '0')
  let end = text.length
  const dot = end - scale
  while (end > dot && text.charCodeAt(end - 1) === 0x30) end--
  const magnitude = end === dot ? text.slice(0, dot) : `${text.slice(0, dot)}.${text.slice(dot, end)}`
  return isNegative ? `-${magnitude}` : magnitude
}

/** Divides, and rounds to so many decimals, half to even. @param by is above 0 */
export function divide (amount: Amount, by: Amount, decimals: number): Amount {
  const shift = decimals + by.scale - amount.scale
  const dividend = shift >= 0 ? amount.digits * powerOfTen(shift) : amount.digits
  const divisor = shift >= 0 ? by.digits : by.digits * powerOfTen(-shift)
  const isNegative = dividend < 0n
  const magnitude = isNegative ? -dividend : dividend
  let digits = magnitude / divisor
  const twice = (magnitude - digits * divisor) * 2n
  if (twice > divisor || (twice === divisor && digits % 2n === 1n)) digits++
  return { digits: isNegative ? -digits : digits, scale: decimals }
}
