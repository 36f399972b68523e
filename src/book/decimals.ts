import { DECIMAL_PATTERN, MAX_DECIMAL_LENGTH } from '@tickwire/protocol'

const decimal = new RegExp(DECIMAL_PATTERN)
const E_NOTATION = /^([-+]?)(\d+)(?:\.(\d+))?[eE]([-+]?\d{1,3})$/

/**
 * Writes a venue's number as a decimal. A number that is a decimal already stays byte for byte; e-notation is
 * written out with every digit kept: `1.70e-7` becomes `0.000000170`. Returns undefined for a text that is
 * not a number, or is longer than a decimal may be.
 */
export function plainDecimal (text: string): string | undefined {
  if (text.length > MAX_DECIMAL_LENGTH) return undefined
  if (decimal.test(text)) return text
  const [, sign, whole, fraction = '', exponent] = E_NOTATION.exec(text) ?? []
  if (whole === undefined) return undefined
  // The place of the point among the digits; it may lie before the first digit or after the last.
  const point = whole.length + Number(exponent)
  if (Math.abs(point) > MAX_DECIMAL_LENGTH) return undefined
  const digits = ('0'.repeat(Math.max(0, 1 - point)) + whole + fraction).padEnd(point, '0')
  const integer = digits.slice(0, Math.max(1, point)).replace(/^0+(?=\d)/, '')
  const rest = digits.slice(Math.max(1, point))
  const plain = `${sign === '-' ? '-' : ''}${integer}${rest === '' ? '' : `.${rest}`}`
  return plain.length <= MAX_DECIMAL_LENGTH ? plain : undefined
}
