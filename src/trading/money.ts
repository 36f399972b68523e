import { DECIMAL_PATTERN, isZeroDecimal } from '@tickwire/protocol'
import Big from 'big.js'

/** Decimals of what a division makes: averages, and the cost of a part of a position. */
const DIVIDED_DECIMALS = 8
/**
 * Digits of a price or a quantity before and after the point. With these, no notional, fee or cash balance is
 * longer than a decimal of the protocol may be.
 */
const MOST_INTEGER_DIGITS = 15
const MOST_DECIMALS = 12

const IS_DECIMAL = new RegExp(DECIMAL_PATTERN)

// A constructor of our own, because its settings must hold whatever other code sets.
const Exact = Big()
Exact.DP = DIVIDED_DECIMALS
Exact.RM = Big.roundHalfEven

/** An exact decimal. Sums, differences and products are exact; see {@link quotient} for divisions. */
export type Money = Big

export const ZERO: Money = new Exact(0)

/** @param text matches DECIMAL_PATTERN of the protocol */
export const money = (text: string): Money => new Exact(text)

/** Writes an amount without an exponent, and without zeros at the end of its fraction. */
export const format = (amount: Money): string => amount.toFixed()

export const least = (a: Money, b: Money): Money => a.lt(b) ? a : b

/** Returns what an order costs with its fee. @param fee a fraction of the notional */
export const withFee = (notional: Money, fee: string): Money => notional.plus(notional.times(fee))

/** Divides, and rounds to 8 decimals, half to even. @param by is not 0 */
export const quotient = (amount: Money, by: Money): Money => amount.div(by)

/** Rounds to 8 decimals, half to even. */
export const rounded = (amount: Money): Money => amount.round(DIVIDED_DECIMALS, Big.roundHalfEven)

/**
 * Returns 1 divided by a price, to so many significant digits that an amount of a hundred billion converted
 * with it is right to its 8th decimal.
 * @param price is above 0
 */
export function inverse (price: string): Money {
  const Precise = Big()
  Precise.DP = 40
  Precise.RM = Big.roundHalfEven
  return new Exact(new Precise(1).div(price))
}

/** Returns the digits after the point, as the text has them: `185.50` has 2. */
export function decimalsOf (text: string): number {
  const dot = text.indexOf('.')
  return dot < 0 ? 0 : text.length - dot - 1
}

/**
 * Returns the average price of fills, to 8 decimals, half to even. It has at least as many decimals as their
 * most precise price, up to 8.
 * @param notional price by quantity of all fills
 * @param quantity is above 0
 * @param decimals the most digits after the point of a fill's price
 */
export function averagePrice (notional: Money, quantity: Money, decimals: number): string {
  const text = format(quotient(notional, quantity))
  const missing = Math.min(decimals, DIVIDED_DECIMALS) - decimalsOf(text)
  if (missing <= 0) return text
  return `${text}${text.includes('.') ? '' : '.'}${'0'.repeat(missing)}`
}

/** Returns whether a price is a multiple of its tick, or a quantity of its lot. @param step is above 0 */
export const isMultiple = (value: string, step: string): boolean => money(value).mod(money(step)).eq(0)

/**
 * Returns why a text cannot be the price or the quantity of an order, as the end of a sentence; undefined if
 * it can be.
 */
export function orderNumberFault (text: string): string | undefined {
  if (!IS_DECIMAL.test(text)) return 'must be a decimal such as 185.50'
  if (!isAboveZero(text)) return 'must be above 0'
  if (fitsMoney(text)) return undefined
  return `must have at most ${MOST_INTEGER_DIGITS} digits before and ${MOST_DECIMALS} after the point`
}

/** Returns whether orders can be filled at a price of the market: it is above 0, and not too long. */
export const isTradablePrice = (text: string): boolean => fitsMoney(text) && isAboveZero(text)

const isAboveZero = (text: string): boolean => !text.startsWith('-') && !isZeroDecimal(text)

/** Returns whether a price or a quantity is short enough to be multiplied with another. */
export function fitsMoney (text: string): boolean {
  const decimals = decimalsOf(text)
  const integers = text.length - (decimals === 0 ? 0 : decimals + 1) - (text.startsWith('-') ? 1 : 0)
  return decimals <= MOST_DECIMALS && integers <= MOST_INTEGER_DIGITS
}

/**
 * Returns the part of a size of the market that orders can be filled with: venues may write more digits than
 * quantities have.
 */
export function tradableSize (text: string): Money {
  if (!isAboveZero(text)) return ZERO
  const size = money(text)
  return decimalsOf(text) <= MOST_DECIMALS ? size : size.round(MOST_DECIMALS, Big.roundDown)
}
