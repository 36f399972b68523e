import type { Order } from '@tickwire/protocol'
import { decimal, quotient, shown, times } from './decimal.js'
import { FEE, type Fill, isOpen } from './judge-orders.js'
import type { ReadAccount, ReadFill } from './reading.js'

/** What every user of a run begins with, in the only currency. */
export const BALANCE = '1000000'
export const CURRENCY = 'USD'

interface Position {
  quantity: bigint
  cost: bigint
}

/** What a user has by the fills alone. */
class Ledger {
  cash = decimal(BALANCE)
  fees = 0n
  realized = 0n
  readonly positions = new Map<string, Position>()

  constructor (fills: readonly Fill[]) {
    for (const fill of fills) this.take(fill)
  }

  private take ({ symbol, side, quantity, price, fee }: Fill): void {
    const notional = times(quantity, decimal(price))
    const position = this.positions.get(symbol) ?? { quantity: 0n, cost: 0n }
    this.positions.set(symbol, position)
    this.fees += fee
    if (side === 'buy') {
      this.cash -= notional + fee
      position.quantity += quantity
      position.cost += notional
      return
    }
    const share = this.shareOf(position, quantity)
    this.cash += notional - fee
    this.realized += notional - share
    position.quantity -= quantity
    position.cost -= share
    if (position.quantity === 0n) this.positions.delete(symbol)
  }

  /** A sale takes its part of the cost, to 8 decimals; the last one takes all that is left. */
  private shareOf ({ quantity: held, cost }: Position, sold: bigint): bigint {
    if (sold === held || held === 0n) return cost
    const share = quotient(times(cost, sold), held)
    return share > cost ? cost : share
  }
}

/**
 * Judges what a server says of an account: to the last digit, it is what the fills and the open orders say.
 * @param last the last message of each of the user's orders
 */
export function judgeAccount (
  user: string, fills: readonly Fill[], last: Iterable<Order>, account: ReadAccount
): string[] {
  const ledger = new Ledger(fills)
  const open = [...last].filter(({ status }) => isOpen(status))
  const faults: string[] = []
  const expect = (what: string, text: string | undefined, value: bigint): void => {
    if (text === undefined || decimal(text) !== value) faults.push(`${what} is ${text}, and not ${shown(value)}`)
  }
  const balance = account.balances.find(({ currency }) => currency === CURRENCY)
  const reserved = open.reduce((sum, order) => sum + reservedBy(order), 0n)
  expect('cash', balance?.cash, ledger.cash)
  expect('fees', balance?.fees, ledger.fees)
  expect('realized', balance?.realized, ledger.realized)
  expect('reserved', balance?.reserved, reserved)
  expect('available', balance?.available, ledger.cash - reserved)
  if (ledger.cash < reserved) faults.push(`reserved ${shown(reserved)} of ${shown(ledger.cash)}`)
  const symbols = new Set([...ledger.positions.keys(), ...account.positions.map(({ symbol }) => symbol)])
  for (const symbol of symbols) {
    const held = account.positions.find(position => position.symbol === symbol)
    const position = ledger.positions.get(symbol) ?? { quantity: 0n, cost: 0n }
    if (position.quantity < 0n) faults.push(`${symbol}: ${shown(position.quantity)} are held`)
    expect(`${symbol}: quantity`, held?.quantity, position.quantity)
    expect(`${symbol}: cost`, held?.cost, position.cost)
  }
  const openNames = (orders: readonly Order[]): string => orders.map(({ order_id: id, status }) => `${id} ${status}`).sort().join()
  if (openNames(account.open_orders) !== openNames(open)) faults.push(`${account.open_orders.length} open orders are not the ${open.length}`)
  faults.push(...portfolioFaults(ledger, account))
  return faults.map(text => `${user}: account: ${text}`)
}

function reservedBy ({ side, leaves_qty: leaves = '0', limit_price: limit, stop_price: stop }: Order): bigint {
  const price = limit ?? stop
  if (side === 'sell' || price === undefined) return 0n
  return times(times(decimal(leaves), decimal(price)), decimal('1') + decimal(FEE))
}

/** Judges the portfolio as it was published last. */
function portfolioFaults (ledger: Ledger, { portfolio }: ReadAccount): string[] {
  if (portfolio === null) return ledger.fees === 0n ? [] : ['there is no portfolio']
  const faults: string[] = []
  const expect = (what: string, text: string | undefined, value: bigint): void => {
    if (text === undefined || decimal(text) !== value) faults.push(`portfolio: ${what} is ${text}, and not ${shown(value)}`)
  }
  expect('cash', portfolio.cash, ledger.cash)
  expect('fees', portfolio.fees, ledger.fees)
  expect('realized_pnl', portfolio.realized_pnl, ledger.realized)
  const values = portfolio.positions.map(held => {
    const { symbol, quantity, last, market_value: value, unrealized_pnl: gain, avg_price: average } = held
    const position = ledger.positions.get(symbol) ?? { quantity: 0n, cost: 0n }
    expect(`${symbol}: quantity`, quantity, position.quantity)
    if (position.quantity === 0n) return 0n
    expect(`${symbol}: avg_price`, average, quotient(position.cost, position.quantity))
    // A server that has just taken over may know no price yet: the position counts as what it has cost.
    const worth = last === undefined ? position.cost : times(position.quantity, decimal(last))
    expect(`${symbol}: market_value`, value, worth)
    expect(`${symbol}: unrealized_pnl`, gain, worth - position.cost)
    return worth
  })
  expect('total_value', portfolio.total_value, values.reduce((sum, value) => sum + value, ledger.cash))
  return faults
}

/** Judges whether `GET /v1/orders` and `GET /v1/fills` say what the messages say. */
export function judgeRows (
  user: string,
  fills: readonly Fill[],
  last: Iterable<Order>,
  orderRows: readonly Order[],
  fillRows: readonly ReadFill[]
): string[] {
  const lines = {
    orders: [...last].map(orderLine),
    orderRows: orderRows.map(orderLine),
    fills: fills.map(({ id, quantity, price }) => `${id} ${shown(quantity)} ${price}`),
    fillRows: fillRows.map(({ exec_id: id, quantity, price }) => `${id} ${quantity} ${price}`)
  }
  return [
    ...differences(lines.orders, lines.orderRows).map(text => `${user}: GET /v1/orders: ${text}`),
    ...differences(lines.fills, lines.fillRows).map(text => `${user}: GET /v1/fills: ${text}`)
  ]
}

const orderLine = ({ order_id: id, status, quantity, filled_qty: filled }: Order): string =>
  `${id} ${status} ${quantity} ${filled}`

function differences (expected: readonly string[], rows: readonly string[]): string[] {
  const there = new Set(rows)
  const known = new Set(expected)
  return [
    ...expected.filter(line => !there.has(line)).map(line => `lacks ${line}`),
    ...rows.filter(line => !known.has(line)).map(line => `has ${line}`),
    ...there.size < rows.length ? [`${rows.length - there.size} rows come twice`] : []
  ]
}
