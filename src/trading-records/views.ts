import { type Static, Type } from '@sinclair/typebox'
import { Account, Decimal, type OpenOrder, Order, Portfolio, Timestamp } from '@tickwire/protocol'
import Big from 'big.js'
import type { FillRow, OrderRow } from '../store/trading-rows.js'

/** What `GET /v1/orders`, `/v1/fills` and `/v1/account` answer with. */

/** An order as its newest message has it, without what the message says of a single fill. */
export const OrderView = Type.Omit(Order, ['exec_id', 'last_qty', 'last_price', 'fee', 'signature'])
export type OrderView = Static<typeof OrderView>

export const FillView = Type.Object({
  exec_id: Order.properties.order_id,
  ...Type.Pick(Order, ['order_id', 'client_order_id', 'symbol', 'side']).properties,
  quantity: Decimal(),
  price: Decimal(),
  ...Type.Pick(Order, ['fee', 'currency']).properties,
  time: Timestamp('when the fill was decided')
})
export type FillView = Static<typeof FillView>

const Balance = Account.properties.balances.items
export const AccountView = Type.Object({
  currency: Type.String({ description: 'the base currency, in which the totals of the portfolio are' }),
  opened_at: Type.Optional(Account.properties.opened_at),
  balances: Type.Array(Type.Object({
    ...Balance.properties,
    reserved: Decimal({ description: 'of the cash, for open orders' }),
    available: Decimal({ description: 'the cash less what is reserved' })
  })),
  positions: Account.properties.positions,
  portfolio: Type.Union([Portfolio, Type.Null()], { description: 'as it was published last' }),
  open_orders: Type.Array(OrderView, { description: 'newest first' })
})
export type AccountView = Static<typeof AccountView>

/** The cash with which an account begins, by currency. */
export interface OpeningBalance {
  readonly currency: string
  readonly cash: string
}

const instant = (ms: number): string => new Date(ms).toISOString()
/** Leaves out what is not known. */
const known = (fields: Readonly<Record<string, string | null>>): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))

export function orderView (row: OrderRow): OrderView {
  return known({
    order_id: row.order_id,
    client_order_id: row.client_order_id,
    symbol: row.symbol,
    side: row.side,
    order_type: row.order_type,
    time_in_force: row.time_in_force,
    status: row.status,
    quantity: row.quantity,
    filled_qty: row.filled_qty,
    leaves_qty: new Big(row.quantity).minus(row.filled_qty).toFixed(),
    limit_price: row.limit_price,
    stop_price: row.stop_price,
    avg_price: row.avg_price,
    currency: row.currency,
    reason: row.reason,
    created_at: instant(row.created_at),
    updated_at: instant(row.updated_at)
  }) as OrderView
}

export function fillView (row: FillRow): FillView {
  return known({
    exec_id: row.exec_id,
    order_id: row.order_id,
    client_order_id: row.client_order_id,
    symbol: row.symbol,
    side: row.side,
    quantity: row.quantity,
    price: row.price,
    fee: row.fee,
    currency: row.currency,
    time: instant(row.time)
  }) as FillView
}

export interface AccountParts {
  /** The base currency. */
  readonly currency: string
  /** Undefined: the user has none yet. */
  readonly account: Account | undefined
  readonly openingBalances: readonly OpeningBalance[]
  readonly portfolio: Portfolio | undefined
  /** As the exchange has them. */
  readonly open: readonly OpenOrder[]
  /** The same, as they are shown. */
  readonly orders: readonly OrderView[]
}

export function accountView (
  { currency, account, openingBalances, portfolio, open, orders }: AccountParts
): AccountView {
  const balances = account?.balances ??
    openingBalances.map(balance => ({ ...balance, fees: '0', realized: '0' }))
  return {
    currency,
    ...account === undefined ? {} : { opened_at: account.opened_at },
    balances: balances.map(balance => {
      const reserved = open.filter(order => order.currency === balance.currency)
        .reduce((sum, order) => sum.plus(order.reserved), new Big(0))
      const available = new Big(balance.cash).minus(reserved)
      return { ...balance, reserved: reserved.toFixed(), available: available.toFixed() }
    }),
    positions: account?.positions ?? [],
    portfolio: portfolio ?? null,
    open_orders: [...orders]
  }
}
