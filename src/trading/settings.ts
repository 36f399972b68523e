import { DECIMAL_PATTERN, MOST_CURRENCIES } from '@tickwire/protocol'
import { decimalsOf, money } from './money.js'

/** With more, amounts might become longer than a decimal of the protocol may be. */
const MOST_DECIMALS = 8
/** Leaves room for what an account may gain. */
const MOST_BALANCE_LENGTH = 24
const CURRENCY = /^[A-Za-z0-9]{1,16}$/
const IS_DECIMAL = new RegExp(DECIMAL_PATTERN)

/** Fees as fractions of the notional. */
export interface Fees {
  /** Of markets that have no fee of their own, and of instruments without a market. */
  readonly others: string
  readonly markets: ReadonlyMap<string, string>
}

/** Starting balances by currency, in the order in which they were written. */
export type Balances = ReadonlyMap<string, string>

/**
 * Reads fees: one fraction for all markets, such as `0.001`, or `MARKET:fraction,…`. In the list, an entry
 * without a market is for all others; without such an entry they have no fee.
 * @throws TypeError that says what cannot be read, and what is allowed
 */
export function parseFees (text: string): Fees {
  const markets = new Map<string, string>()
  let others: string | undefined
  for (const entry of text.split(',').map(part => part.trim())) {
    const colon = entry.lastIndexOf(':')
    const fraction = entry.slice(colon + 1)
    if (!isFee(fraction)) {
      throw new TypeError(`'${entry}' is not a fee: write a fraction of the notional from 0 to below 1, ` +
        `with at most ${MOST_DECIMALS} decimals, such as 0.001 or KRX:0.00015`)
    }
    const market = entry.slice(0, Math.max(0, colon))
    if (colon === 0) throw new TypeError(`'${entry}' names no market before the colon`)
    if (colon < 0 ? others !== undefined : markets.has(market)) {
      throw new TypeError(`'${entry}' is the second fee of ${colon < 0 ? 'all other markets' : market}`)
    }
    if (colon < 0) others = fraction
    else markets.set(market, fraction)
  }
  return { others: others ?? '0', markets }
}

/** Returns the fee of a market, as a fraction of the notional. */
export const feeOf = ({ others, markets }: Fees, market: string | undefined): string =>
  (market === undefined ? undefined : markets.get(market)) ?? others

/**
 * Reads starting balances: `CURRENCY:amount,…`, such as `KRW:100000000,USD:100000`.
 * @throws TypeError that says what cannot be read, and what is allowed
 */
export function parseBalances (text: string): Balances {
  const balances = new Map<string, string>()
  for (const entry of text.split(',').map(part => part.trim())) {
    const [currency = '', amount = '', ...more] = entry.split(':')
    if (!CURRENCY.test(currency) || !isBalance(amount) || more.length > 0) {
      throw new TypeError(`'${entry}' is not a balance: write a currency and an amount of 0 or more, ` +
        `with at most ${MOST_DECIMALS} decimals and ${MOST_BALANCE_LENGTH} characters, such as USD:100000`)
    }
    if (balances.has(currency)) throw new TypeError(`'${entry}' is the second balance of ${currency}`)
    balances.set(currency, amount)
  }
  if (balances.size > MOST_CURRENCIES) {
    throw new TypeError(`there are ${balances.size} currencies; at most ${MOST_CURRENCIES} are allowed`)
  }
  return balances
}

function isFee (text: string): boolean {
  const fraction = isNotNegative(text) ? money(text) : undefined
  return fraction?.lt(1) === true && decimalsOf(text) <= MOST_DECIMALS
}

function isBalance (text: string): boolean {
  return isNotNegative(text) && decimalsOf(text) <= MOST_DECIMALS && text.length <= MOST_BALANCE_LENGTH
}

const isNotNegative = (text: string): boolean => IS_DECIMAL.test(text) && !text.startsWith('-')
