import { type Static, Type } from '@sinclair/typebox'
import { closed, Decimal, defineChannel, SymbolName } from './channel.js'

export const Portfolio = Type.Object({
  total_value: Decimal(),
  cash: Decimal(),
  day_pnl: Decimal(),
  positions: Type.Array(Type.Object({
    symbol: SymbolName(),
    quantity: Decimal(),
    avg_price: Decimal(),
    market_value: Decimal(),
    unrealized_pnl: Decimal()
  }, closed), { maxItems: 10_000 })
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
