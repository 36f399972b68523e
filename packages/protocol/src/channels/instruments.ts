import { type Static, Type } from '@sinclair/typebox'
import { closed, defineChannel, SymbolName, Text } from './channel.js'

export const Instrument = Type.Object({
  symbol: SymbolName(),
  market: Type.Optional(SymbolName('names the set `@market/…`')),
  sector: Type.Optional(SymbolName('names the set `@sector/…`')),
  sector_name: Type.Optional(Text(128, 'what people call the sector')),
  name: Type.Optional(Text(128))
}, closed)
export type Instrument = Static<typeof Instrument>

/**
 * The known instruments. They are part of the log, so that every node sees the same ones; clients read them
 * by `GET /v1/symbols`.
 */
export const instruments = defineChannel({
  name: 'instruments',
  type: 'instrument',
  description: 'What can be subscribed to, by market and sector.',
  keyed: true,
  access: 'internal',
  schema: Instrument,
  reduce: 'last'
})
