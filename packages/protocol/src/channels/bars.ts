import { type Static, Type } from '@sinclair/typebox'
import { closed, DAY, Decimal, defineChannel, SymbolName } from './channel.js'

/** The intervals of bars, in milliseconds. A day is a multiple of each. */
export const BAR_INTERVALS = { '1s': 1000, '1m': 60_000, '5m': 300_000 } as const
export type BarInterval = keyof typeof BAR_INTERVALS

const intervals = Object.keys(BAR_INTERVALS) as BarInterval[]

export const Bar = Type.Object({
  symbol: SymbolName(),
  interval: Type.Union(intervals.map(interval => Type.Literal(interval))),
  start: Type.String({
    pattern: `^(?:${DAY})T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\dZ$`,
    maxLength: 20,
    title: 'a real date and time: whole seconds of UTC',
    description: 'the first instant of the bar: whole seconds of UTC'
  }),
  open: Decimal(),
  high: Decimal(),
  low: Decimal(),
  close: Decimal(),
  volume: Decimal({ description: 'the sum of the sizes' }),
  vwap: Decimal({
    description: 'the average price by size: exact if it has at most 8 decimals, else rounded half to even'
  }),
  trades: Type.Integer({ minimum: 0, description: 'how many; 0 if all of them were cancelled' }),
  closed: Type.Boolean({ description: 'false while the bar is forming' }),
  revision: Type.Optional(Type.Integer({
    minimum: 0, description: 'of a closed bar: 0, then 1, 2, … as late and corrected trades come'
  })),
  partial: Type.Optional(Type.Literal(true, {
    description: 'the server did not see the beginning of the bar'
  })),
  through: Type.Integer({
    minimum: 1, description: 'the sequence of the last message of `trades` that the bar follows from'
  })
}, closed)
export type Bar = Static<typeof Bar>

/** Returns the name of the channel of an interval. */
export const barsChannel = (interval: BarInterval): string => `bars.${interval}`

/** The channels of bars, one for each interval. */
export const barChannels = intervals.map(interval => defineChannel({
  name: barsChannel(interval),
  type: 'bar',
  description: `Bars of ${interval}, made of the trades; the newest bar is the state.`,
  keyed: true,
  access: 'public',
  schema: Bar,
  // A late revision of an older bar leaves the newest bar in its place. All starts are written alike, so that
  // they compare as texts.
  reduce: (newest, bar, replaces) => (
    newest === undefined || replaces || bar.start >= newest.start ? bar : newest
  )
}))
