import type { Account } from '@tickwire/protocol'
import { format, least, money, type Money, quotient, ZERO } from './money.js'
import type { OrderSide } from './order.js'
import type { Balances } from './settings.js'

type Balance = Account['balances'][number]
type Position = Account['positions'][number]

/** A fill, as the account of its user sees it. */
export interface AccountFill {
  readonly symbol: string
  readonly currency: string
  readonly side: OrderSide
  readonly quantity: Money
  readonly notional: Money
  readonly fee: Money
}

/** Returns an account with its starting balances. @param time milliseconds since 1970 */
export function openAccount (balances: Balances, time: number): Account {
  return {
    opened_at: new Date(time).toISOString(),
    balances: [...balances].map(([currency, amount]) =>
      ({ currency, cash: format(money(amount)), fees: '0', realized: '0' })),
    positions: []
  }
}

const balanceOf = ({ balances }: Account, currency: string): Balance | undefined =>
  balances.find(one => one.currency === currency)

/** Returns the cash of an account, reserved or not. */
export function cashOf (account: Account, currency: string): Money {
  const balance = balanceOf(account, currency)
  return balance === undefined ? ZERO : money(balance.cash)
}

/** Returns how much an account has of an instrument that it bought in a currency. */
export function heldOf (account: Account, symbol: string, currency: string): Money {
  const position = account.positions[placeOf(account, symbol, currency)]
  return position === undefined ? ZERO : money(position.quantity)
}

const placeOf = ({ positions }: Account, symbol: string, currency: string): number =>
  positions.findIndex(position => position.symbol === symbol && position.currency === currency)

/**
 * Returns an account after a fill. The caller has made sure that the account has the cash, or what it sells.
 *
 * A sale takes its share of the cost out of the position. The share is rounded to 8 decimals, and the rest
 * stays with the position, so that no part of the cost is lost; the last sale takes all that is left.
 */
export function afterFill (account: Account, fill: AccountFill): Account {
  const { symbol, currency, side, quantity, notional, fee } = fill
  const at = placeOf(account, symbol, currency)
  const held = account.positions[at]
  const before = { quantity: money(held?.quantity ?? '0'), cost: money(held?.cost ?? '0') }
  if (side === 'buy') {
    const after = { quantity: before.quantity.plus(quantity), cost: before.cost.plus(notional) }
    return {
      ...account,
      balances: withBalance(account, currency, notional.plus(fee).neg(), fee, ZERO),
      positions: withPosition(account, at, { symbol, currency, ...written(after) })
    }
  }
  const left = before.quantity.minus(quantity)
  const share = left.eq(0) ? before.cost : shareOf(before.cost, quantity, before.quantity)
  const after = { quantity: left, cost: before.cost.minus(share) }
  return {
    ...account,
    balances: withBalance(account, currency, notional.minus(fee), fee, notional.minus(share)),
    positions: withPosition(account, at, left.eq(0) ? undefined : { symbol, currency, ...written(after) })
  }
}

/** Rounded up, the share of a tiny cost could be more than there is. */
const shareOf = (cost: Money, sold: Money, held: Money): Money =>
  least(quotient(cost.times(sold), held), cost)

const written = ({ quantity, cost }: { quantity: Money, cost: Money }): Pick<Position, 'quantity' | 'cost'> =>
  ({ quantity: format(quantity), cost: format(cost) })

/** A balance that the account has not got is added: what was traded must be paid all the same. */
function withBalance (
  account: Account, currency: string, change: Money, fee: Money, realized: Money
): Balance[] {
  const before = balanceOf(account, currency) ?? { currency, cash: '0', fees: '0', realized: '0' }
  const after = {
    currency,
    cash: format(change.plus(before.cash)),
    fees: format(fee.plus(before.fees)),
    realized: format(realized.plus(before.realized))
  }
  const { balances } = account
  return balances.includes(before)
    ? balances.map(balance => balance === before ? after : balance)
    : [...balances, after]
}

/** @param at its place; below 0 if it is new. @param position undefined: it is gone */
function withPosition ({ positions }: Account, at: number, position: Position | undefined): Position[] {
  const next = [...positions]
  if (at < 0) next.push(position!)
  else if (position === undefined) next.splice(at, 1)
  else next[at] = position
  return next
}
