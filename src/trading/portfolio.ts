import type { Account, OpenOrder, Portfolio } from '@tickwire/protocol'
import { fitsMoney, format, inverse, money, type Money, quotient, rounded, ZERO } from './money.js'

/** Returns the last price of a symbol; undefined if there is none yet. */
export type Prices = (symbol: string) => string | undefined

/** Returns the price of one unit of a currency in the base currency; undefined if nobody knows it. */
export type Rates = (currency: string) => Money | undefined

/**
 * Makes rates of the prices of pairs: the last price of `EUR-USD` for EUR, or else 1 divided by the last
 * price of `USD-EUR`, if USD is the base currency.
 */
export function ratesFrom (prices: Prices, base: string): Rates {
  return currency => {
    if (currency === base) return money('1')
    const direct = prices(`${currency}-${base}`)
    if (direct !== undefined && money(direct).gt(0)) return money(direct)
    const reverse = prices(`${base}-${currency}`)
    return reverse !== undefined && money(reverse).gt(0) ? inverse(reverse) : undefined
  }
}

/** What turns amounts of an account into amounts of the base currency. */
export interface Valuation {
  readonly base: string
  readonly prices: Prices
  readonly rates: Rates
}

/** The day of an instant in UTC, such as `2026-02-07`. @param time milliseconds since 1970 */
export const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10)

/** Returns what cash and positions are worth, in the base currency. */
export function valueOf (account: Account, { prices, rates }: Valuation): Money {
  const totals = new Totals(rates)
  for (const { currency, cash } of account.balances) totals.add(currency, money(cash))
  for (const position of account.positions) totals.add(position.currency, valueOfPosition(position, prices))
  return totals.sum
}

/**
 * Returns the data of `portfolio`: totals in the base currency, positions and balances in their own. Amounts
 * that were converted are rounded to 8 decimals, half to even; amounts in the base currency are exact.
 *
 * A position without a price is valued at its cost. The totals leave out cash and positions of a currency
 * without a rate, and `without_rate` names it.
 * @param open the user's open orders
 * @param time milliseconds since 1970
 */
export function portfolioOf (
  account: Account, open: Iterable<OpenOrder>, valuation: Valuation, time: number
): Portfolio {
  const { base, prices, rates } = valuation
  const reserved = reservedByCurrency(open)
  const unrated = account.balances.map(({ currency }) => currency).filter(one => rates(one) === undefined)
  const [cash, free, fees, realized, gains] = Array.from({ length: 5 }, () => new Totals(rates))
  for (const balance of account.balances) {
    const { currency } = balance
    cash!.add(currency, money(balance.cash))
    free!.add(currency, money(balance.cash).minus(reserved.get(currency) ?? ZERO))
    fees!.add(currency, money(balance.fees))
    realized!.add(currency, money(balance.realized))
  }
  const positions = account.positions.map(position => {
    const { symbol, currency, quantity, cost } = position
    const last = usable(prices(symbol))
    const value = valueOfPosition(position, prices)
    gains!.add(currency, value.minus(cost))
    return {
      symbol,
      currency,
      quantity,
      avg_price: format(quotient(money(cost), money(quantity))),
      ...(last === undefined ? {} : { last }),
      market_value: format(value),
      unrealized_pnl: format(value.minus(cost))
    }
  })
  const total = valueOf(account, valuation)
  const { day } = account
  return {
    currency: base,
    total_value: format(total),
    cash: format(cash!.sum),
    buying_power: format(free!.sum),
    // Before the first position of a day, nothing has been gained or lost on that day.
    day_pnl: day === undefined || day.date < dayOf(time) ? '0' : format(total.minus(day.value)),
    realized_pnl: format(realized!.sum),
    unrealized_pnl: format(gains!.sum),
    fees: format(fees!.sum),
    ...(unrated.length === 0 ? {} : { without_rate: unrated }),
    positions,
    balances: account.balances.map(({ currency, cash }) =>
      ({ currency, cash, reserved: format(reserved.get(currency) ?? ZERO) }))
  }
}

function reservedByCurrency (open: Iterable<OpenOrder>): Map<string, Money> {
  const reserved = new Map<string, Money>()
  for (const order of open) {
    reserved.set(order.currency, (reserved.get(order.currency) ?? ZERO).plus(order.reserved))
  }
  return reserved
}

function valueOfPosition (
  { symbol, quantity, cost }: Account['positions'][number], prices: Prices
): Money {
  const last = usable(prices(symbol))
  return last === undefined ? money(cost) : money(quantity).times(last)
}

/** A price of absurd length would make values that no message may have. */
const usable = (price: string | undefined): string | undefined =>
  price !== undefined && fitsMoney(price) ? price : undefined

/** Sums amounts of several currencies, without those that have no rate. */
class Totals {
  private readonly byCurrency = new Map<string, Money>()

  constructor (private readonly rates: Rates) {}

  add (currency: string, amount: Money): void {
    this.byCurrency.set(currency, (this.byCurrency.get(currency) ?? ZERO).plus(amount))
  }

  get sum (): Money {
    let sum = ZERO
    for (const [currency, amount] of this.byCurrency) {
      const rate = this.rates(currency)
      if (rate !== undefined) sum = sum.plus(rate.eq(1) ? amount : rounded(amount.times(rate)))
    }
    return sum
  }
}
