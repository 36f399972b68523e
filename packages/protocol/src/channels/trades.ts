import { type Static, Type } from '@sinclair/typebox'
import { closed, Decimal, defineChannel, Identifier, Side, SymbolName, Text, Timestamp } from './channel.js'

export const Trade = Type.Object({
  symbol: SymbolName(),
  price: Decimal(),
  size: Decimal(),
  timestamp: Timestamp('when the venue traded, ISO 8601'),
  exchange: Type.Optional(Text(32)),
  side: Type.Optional(Side('of the taker: `buy` lifted an offer, `sell` hit a bid')),
  trade_id: Type.Optional(Identifier()),
  received_at: Type.Optional(Timestamp('when the server received it, ISO 8601 with microseconds'))
}, closed)
export type Trade = Static<typeof Trade>

export const trades = defineChannel({
  name: 'trades',
  type: 'trade',
  description: 'Each trade once.',
  keyed: true,
  access: 'public',
  schema: Trade
})
