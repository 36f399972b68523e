import { type SchemaOptions, Type } from '@sinclair/typebox'
import { DECIMAL_PATTERN, MAX_DECIMAL_LENGTH } from '../decimal.js'
import { SYMBOL_FORMAT } from '../formats.js'
import { SYMBOL_PATTERN } from '../topic.js'

/** Schemas of fields that several channels and messages have. */

/**
 * A day of the Gregorian calendar: each month has its own number of days, and February 29 is in leap years
 * only.
 */
export const DAY = [
  '\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|' +
    '(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))',
  '(?:\\d{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29'
].join('|')
const HOUR_MINUTE = '(?:[01]\\d|2[0-3]):[0-5]\\d'

/**
 * A real instant: ISO 8601 with a zone, as the venue wrote it. The second 60 is a leap second. The pattern
 * alone refuses dates that do not exist, so every reader of the schema does; it costs no more than a pattern
 * that only counts digits.
 */
export const Timestamp = (description = 'ISO 8601, as the source wrote it') => Type.String({
  pattern: `^(?:${DAY})T${HOUR_MINUTE}:(?:[0-5]\\d|60)(?:\\.\\d{1,9})?(?:Z|[+-]${HOUR_MINUTE})$`,
  maxLength: 40,
  title: 'a real date and time: ISO 8601 with a zone',
  description
})

/** A decimal as the source wrote it (decimal.ts). */
export const Decimal = (options: SchemaOptions = {}) =>
  Type.String({ pattern: DECIMAL_PATTERN, maxLength: MAX_DECIMAL_LENGTH, ...options })

export const SymbolName = (description?: string) => Type.String({
  format: SYMBOL_FORMAT,
  title: 'a symbol',
  description: `${description === undefined ? '' : `${description}; `}\`${SYMBOL_PATTERN}\`, in NFC`
})
export const Text = (maxLength: number, description?: string) =>
  Type.String({ maxLength, ...(description === undefined ? {} : { description }) })
export const Identifier = () => Type.String({ minLength: 1, maxLength: 128 })
export const OneOf = <Name extends string>(names: readonly Name[], options: SchemaOptions = {}) =>
  Type.Union(names.map(name => Type.Literal(name)), { title: `one of ${names.join(', ')}`, ...options })
export const Side = (description?: string) => Type.Union(
  [Type.Literal('buy'), Type.Literal('sell')],
  { title: 'buy or sell', ...(description === undefined ? {} : { description }) }
)

/** Data objects are closed: the server refuses a field that is not in the table (PROTOCOL.md, Data). */
export const closed = { additionalProperties: false } as const
