import { type Static, Type } from '@sinclair/typebox'
import { closed, Decimal, defineChannel, SymbolName, Timestamp } from './channel.js'

export const Quote = Type.Object({
  symbol: SymbolName(),
  bid: Type.Optional(Decimal()),
  ask: Type.Optional(Decimal()),
  last: Type.Optional(Decimal()),
  bid_size: Type.Optional(Decimal()),
  ask_size: Type.Optional(Decimal()),
  volume: Type.Optional(Decimal()),
  change: Type.Optional(Decimal()),
  change_percent: Type.Optional(Decimal()),
  open: Type.Optional(Decimal()),
  high: Type.Optional(Decimal()),
  low: Type.Optional(Decimal()),
  venue_time: Type.Optional(Timestamp())
}, closed)
export type Quote = Static<typeof Quote>

export const quotes = defineChannel({
  name: 'quotes',
  type: 'quote',
  description: 'Best bid and ask, last price and the day so far; each message is the whole state.',
  keyed: true,
  access: 'public',
  schema: Quote,
  reduce: 'last',
  merge: 'last'
})
