import { type Static, Type } from '@sinclair/typebox'
import { closed, defineChannel, SymbolName, Text, Timestamp } from './channel.js'

export const MarketStatus = Type.Object({
  market: SymbolName(),
  status: Type.Union([
    Type.Literal('pre_open'),
    Type.Literal('open'),
    Type.Literal('halted'),
    Type.Literal('closed'),
    Type.Literal('stale')
  ]),
  reason: Type.Optional(Text(256)),
  until: Type.Optional(Timestamp())
}, closed)
export type MarketStatus = Static<typeof MarketStatus>

export const market = defineChannel({
  name: 'market',
  type: 'market_status',
  description: 'Whether a market trades; the symbol is the market.',
  keyed: true,
  access: 'public',
  schema: MarketStatus,
  reduce: 'last'
})
