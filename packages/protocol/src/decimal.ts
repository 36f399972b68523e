/** A price, size or amount as the source wrote it: `185.50` stays `185.50` (PROTOCOL.md, Data). */
export const DECIMAL_PATTERN = '^-?(0|[1-9][0-9]*)(\\.[0-9]+)?$'

/** The longest decimal that is accepted: a publisher must not make every comparison slow. */
export const MAX_DECIMAL_LENGTH = 64

const ZERO = /^-?[0.]*$/
const MINUS = 0x2d

/** Returns whether a decimal is zero in any spelling: `0`, `0.00`, `-0.0`. */
export function isZeroDecimal (decimal: string): boolean {
  return ZERO.test(decimal)
}

function compareMagnitudes (a: string, b: string): number {
  const aDot = a.indexOf('.')
  const bDot = b.indexOf('.')
  const aInteger = aDot < 0 ? a.length : aDot
  const bInteger = bDot < 0 ? b.length : bDot
  if (aInteger !== bInteger) return aInteger - bInteger
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const difference = a.charCodeAt(i) - b.charCodeAt(i)
    if (difference !== 0) return difference
  }
  const longer = a.length > b.length ? a : b
  for (let i = shorter; i < longer.length; i++) {
    const digit = longer.charCodeAt(i)
    if (digit > 0x30 && digit <= 0x39) return longer === a ? 1 : -1
  }
  return 0
}

/**
 * Compares two decimals by value, exactly. Returns a negative number if `a < b`, 0 if they are equal in any
 * spelling, and a positive number if `a > b`. Both must match {@link DECIMAL_PATTERN}.
 */
export function compareDecimals (a: string, b: string): number {
  if (a === b) return 0
  // Prices of one book mostly are of one length, with the point at one place: then texts compare as numbers.
  const isAlike = a.length === b.length && a.charCodeAt(0) !== MINUS && b.charCodeAt(0) !== MINUS
  if (isAlike && a.indexOf('.') === b.indexOf('.')) return a < b ? -1 : 1
  const aNegative = a.startsWith('-') && !isZeroDecimal(a)
  const bNegative = b.startsWith('-') && !isZeroDecimal(b)
  if (aNegative !== bNegative) return aNegative ? -1 : 1
  const aMagnitude = a.startsWith('-') ? a.slice(1) : a
  const bMagnitude = b.startsWith('-') ? b.slice(1) : b
  return aNegative ? compareMagnitudes(bMagnitude, aMagnitude) : compareMagnitudes(aMagnitude, bMagnitude)
}
