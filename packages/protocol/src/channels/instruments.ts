import { type Static, Type } from '@sinclair/typebox'
import { MAX_DECIMAL_LENGTH } from '../decimal.js'
import { closed, defineChannel, SymbolName } from './channel.js'

/** A decimal without a sign that has a digit other than 0. */
const PositiveDecimal = (description: string) => Type.String({
  pattern: '^(?=.*[1-9])(0|[1-9][0-9]*)(\\.[0-9]+)?$',
  maxLength: MAX_DECIMAL_LENGTH,
  title: 'a decimal above 0',
  description
})

const MAX_NAME_LENGTH = 128
const Name = (description: string) => Type.String({
  maxLength: MAX_NAME_LENGTH, title: `a text of at most ${MAX_NAME_LENGTH} characters`, description
})

/** The fields of an instrument. The title of each says what it must be, in the errors for operators. */
export const Instrument = Type.Object({
  symbol: SymbolName(),
  name: Type.Optional(Name('what people call it')),
  market: Type.Optional(SymbolName('names the set `@market/…`')),
  sector: Type.Optional(SymbolName('names the set `@sector/…`')),
  sector_name: Type.Optional(Name('what people call the sector')),
  currency: Type.Optional(Type.String({
    pattern: '^[A-Za-z0-9]{1,16}$',
    title: '1 to 16 letters and digits, such as KRW',
    description: 'the currency of its prices'
  })),
  tick_size: Type.Optional(PositiveDecimal('every price is a multiple of it')),
  lot_size: Type.Optional(PositiveDecimal('every size is a multiple of it')),
  venue_symbol: Type.Optional(Type.String({
    minLength: 1,
    maxLength: 64,
    title: 'a text of 1 to 64 characters',
    description: "the venue's own spelling of the symbol"
  }))
}, closed)
export type Instrument = Static<typeof Instrument>

/**
 * What sources and applications declare. Instruments are part of the log, so that every node sees the same
 * ones; clients read them by `GET /v1/symbols`. A log in memory gets none of them back from the store,
 * because they are declared at each start.
 */
export const instruments = defineChannel({
  name: 'instruments',
  type: 'instrument',
  description: 'What can be subscribed to, by market and sector.',
  keyed: true,
  access: 'internal',
  schema: Instrument,
  reduce: 'last',
  compacted: 'log'
})

/** What an operator says of a symbol: an instrument, or that there is none. */
export const InstrumentOverride = Type.Object({
  ...Instrument.properties,
  removed: Type.Optional(Type.Literal(true, { description: 'whatever sources declare, there is none' }))
}, closed)
export type InstrumentOverride = Static<typeof InstrumentOverride>

/** What operators said of instruments. It stands above {@link instruments} (ADR 43). */
export const instrumentOverrides = defineChannel({
  name: 'instruments.overrides',
  type: 'instrument_override',
  description: 'What operators declared and removed.',
  keyed: true,
  access: 'internal',
  schema: InstrumentOverride,
  reduce: 'last',
  compacted: true
})
