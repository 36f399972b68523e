import { type Static, Type } from '@sinclair/typebox'
import { ORDER_TYPES, TIMES_IN_FORCE } from '../order-terms.js'
import { MAX_UNACKNOWLEDGED } from './acknowledgements.js'
import { closed, Decimal, defineChannel, Identifier, Side, SymbolName, Text, Timestamp } from './channel.js'

export const ORDER_STATUSES = [
  'pending_new', 'new', 'partially_filled', 'filled', 'pending_cancel', 'canceled', 'replaced', 'rejected',
  'expired'
] as const
export type OrderStatus = typeof ORDER_STATUSES[number]

const oneOf = (names: readonly string[]): string => `the server writes ${names.join(', ')}`

export const Order = Type.Object({
  order_id: Identifier(),
  client_order_id: Type.Optional(Identifier()),
  symbol: SymbolName(),
  side: Side(),
  order_type: Text(32, oneOf(ORDER_TYPES)),
  time_in_force: Type.Optional(Text(32, oneOf(TIMES_IN_FORCE))),
  status: Text(32, oneOf(ORDER_STATUSES)),
  quantity: Decimal(),
  filled_qty: Decimal({ description: 'of all fills so far' }),
  leaves_qty: Type.Optional(Decimal({ description: 'the quantity less what is filled' })),
  limit_price: Type.Optional(Decimal()),
  stop_price: Type.Optional(Decimal()),
  avg_price: Type.Optional(Decimal({
    description: 'of all fills so far; to 8 decimals, rounded half to even'
  })),
  exec_id: Type.Optional(Identifier()),
  last_qty: Type.Optional(Decimal({ description: 'of this fill' })),
  last_price: Type.Optional(Decimal({ description: 'of this fill' })),
  fee: Type.Optional(Decimal({ description: 'of this fill, in the currency of the prices' })),
  currency: Type.Optional(Text(16, 'of the prices')),
  reason: Type.Optional(Text(256)),
  created_at: Type.Optional(Timestamp('when the log accepted the order')),
  updated_at: Type.Optional(Timestamp('when this message was decided')),
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
