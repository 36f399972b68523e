import { type Static, Type } from '@sinclair/typebox'
import { MAX_UNACKNOWLEDGED } from './acknowledgements.js'
import { closed, Decimal, defineChannel, Identifier, Side, SymbolName, Text } from './channel.js'

export const Order = Type.Object({
  order_id: Identifier(),
  symbol: SymbolName(),
  side: Side(),
  order_type: Text(32),
  status: Text(32),
  quantity: Decimal(),
  filled_qty: Decimal(),
  limit_price: Type.Optional(Decimal()),
  avg_price: Type.Optional(Decimal()),
  reason: Type.Optional(Text(256)),
  signature: Type.Optional(Text(1024))
}, closed)
export type Order = Static<typeof Order>

export const orders = defineChannel({
  name: 'orders',
  type: 'order',
  description: "A user's orders, a message for each change of one.",
  keyed: false,
  access: 'user',
  retention: { messages: MAX_UNACKNOWLEDGED },
  acknowledged: true,
  schema: Order
})
