import { type Static, Type } from '@sinclair/typebox'
import { closed, Decimal, defineChannel, SymbolName, Text } from './channel.js'

const MAX_POSITIONS = 10_000
const MAX_CURRENCIES = 100

export const Portfolio = Type.Object({
  currency: Type.Optional(Text(16, 'the base currency, in which the totals are')),
  total_value: Decimal({ description: 'cash and positions' }),
  cash: Decimal({ description: 'in all currencies' }),
  buying_power: Type.Optional(Decimal({ description: 'cash that open orders have not reserved' })),
  day_pnl: Decimal({ description: 'since the day began, UTC' }),
  realized_pnl: Type.Optional(Decimal()),
  unrealized_pnl: Type.Optional(Decimal()),
  fees: Type.Optional(Decimal({ description: 'that have been paid; cash has them subtracted' })),
  without_rate: Type.Optional(Type.Array(Text(16), {
    maxItems: MAX_CURRENCIES,
    description: 'currencies that the totals leave out, because nobody knows their rate'
  })),
  positions: Type.Array(Type.Object({
    symbol: SymbolName(),
    currency: Type.Optional(Text(16)),
    quantity: Decimal(),
    avg_price: Decimal(),
    last: Type.Optional(Decimal({ description: 'the price that values the position' })),
    market_value: Decimal({ description: "in the position's currency" }),
    unrealized_pnl: Decimal({ description: "in the position's currency" })
  }, closed), { maxItems: MAX_POSITIONS }),
  balances: Type.Optional(Type.Array(Type.Object({
    currency: Text(16),
    cash: Decimal(),
    reserved: Decimal({ description: 'of the cash, for open orders' })
  }, closed), { maxItems: MAX_CURRENCIES }))
}, closed)
export type Portfolio = Static<typeof Portfolio>

export const portfolio = defineChannel({
  name: 'portfolio',
  type: 'portfolio',
  description: 'What a user holds; each message is the whole state.',
  keyed: false,
  access: 'user',
  schema: Portfolio,
  reduce: 'last',
  merge: 'last'
})
