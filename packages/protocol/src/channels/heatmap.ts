import { type Static, Type } from '@sinclair/typebox'
import { closed, Decimal, defineChannel, SymbolName, Timestamp } from './channel.js'

/** A density: the first is of long positions or bids, the second of short positions or asks. */
export const HeatmapLevel = Type.Tuple([
  Decimal({ description: 'price: where the level begins' }),
  Decimal({ description: 'liquidation: of long positions; book: size of the bids' }),
  Decimal({ description: 'liquidation: of short positions; book: size of the asks' })
])
export type HeatmapLevel = Static<typeof HeatmapLevel>

export const Heatmap = Type.Object({
  symbol: SymbolName(),
  kind: Type.Union([Type.Literal('liquidation'), Type.Literal('book')]),
  as_of: Timestamp('when the figures were right, ISO 8601'),
  price_step: Decimal({ description: 'how far levels are apart at least; a level that is absent is empty' }),
  current_price: Decimal(),
  levels: Type.Array(HeatmapLevel, { description: 'lowest price first' }),
  positions_created: Type.Optional(Type.Integer({ minimum: 0 })),
  positions_consumed: Type.Optional(Type.Integer({ minimum: 0 }))
}, closed)
export type Heatmap = Static<typeof Heatmap>
export type HeatmapKind = Heatmap['kind']

/** A channel has one kind, so that a topic has one state (ADR 48). */
const heatmapChannel = (name: string, description: string) => defineChannel({
  name,
  type: 'heatmap',
  description,
  keyed: true,
  access: 'public',
  schema: Heatmap,
  eitherSpelling: true,
  reduce: 'last',
  merge: 'last'
})

export const heatmap = heatmapChannel(
  'heatmap', 'Where positions would be liquidated, by price; each message is the whole state.'
)

export const bookHeatmap = heatmapChannel(
  'heatmap.book', 'The size that rested in the book, by price; each message is the whole state.'
)
