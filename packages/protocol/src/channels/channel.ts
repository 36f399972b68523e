import { type SchemaOptions, type Static, type TSchema, Type } from '@sinclair/typebox'
import { DECIMAL_PATTERN, MAX_DECIMAL_LENGTH } from '../decimal.js'
import { SYMBOL_FORMAT } from '../formats.js'
import { SYMBOL_PATTERN } from '../topic.js'
import type { ChannelAccess } from './access.js'
import { channelFault } from './check.js'

/**
 * A function that is compared as methods are: so channels of different data can stand in one list. What is behind
 * the list hands each only data that its own schema has validated.
 */
type Method<Arguments extends unknown[], Result> = { call (...args: Arguments): Result }['call']

/** How a topic's state follows from its messages; a snapshot is that state. */
export type Reduce<Data> = Method<[state: Data | undefined, data: Data, replaces: boolean], Data>

/**
 * Joins a message to those that wait to be sent as one (throttling): the result does to a state what they would do
 * one after another, also to a state that holds some of them already. It changes neither of them.
 * @param replaces whether `pending` replaces the state: then the result does, too
 */
export type Merge<Data> = Method<[pending: Data, data: Data, replaces: boolean], Data>

/** How a state is cut to its best levels, for subscribers that ask for a `depth`. */
export interface Cut<Data> {
  /** The best `depth` levels of a state, sharing nothing with it that {@link Reduce} changes. */
  cut (state: Data, depth: number): Data
  /** The message that makes one cut state into the next; undefined where they are the same. */
  changes (before: Data, after: Data): Data | undefined
}

export interface ChannelDefinition<Schema extends TSchema = TSchema> {
  readonly name: string
  /** The `type` of its messages. */
  readonly type: string
  /** What a subscriber reads in the docs. */
  readonly description: string
  /** Whether its topics have a symbol. */
  readonly keyed: boolean
  readonly access: ChannelAccess
  readonly schema: Schema
  /** What a topic of this channel keeps, where it differs from the log's own bounds. */
  readonly retention?: { readonly messages?: number, readonly seconds?: number }
  /**
   * `last`: the last message is the state. A function folds a message into the state and returns it; it may
   * change the state it was given, never the message. Absent: the channel is a history without a state, and has
   * no snapshot.
   */
  readonly reduce?: 'last' | Reduce<Static<Schema>>
  /**
   * How messages are joined into one for a throttled subscriber. `last`: the last one does what all of them do.
   * Absent: each message counts, and the channel cannot be throttled. Goes with `reduce`: who is throttled resumes
   * by snapshot.
   */
  readonly merge?: 'last' | Merge<Static<Schema>>
  /** For a channel whose state has a best part. Goes with functions for `reduce` and `merge`. */
  readonly levels?: Cut<Static<Schema>>
}

/** Keeps the schema's own type, so that `reduce` is checked against it. @throws TypeError for a definition that cannot be used */
export function defineChannel<Schema extends TSchema> (definition: ChannelDefinition<Schema>): ChannelDefinition<Schema> {
  const fault = channelFault(definition)
  if (fault !== undefined) throw new TypeError(fault)
  return definition
}

/** A day of the Gregorian calendar: each month has its days, and February 29 in leap years alone. */
const DAY = [
  '\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))',
  '(?:\\d{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29'
].join('|')
const HOUR_MINUTE = '(?:[01]\\d|2[0-3]):[0-5]\\d'

/**
 * A real instant: ISO 8601 with a zone, as the venue wrote it. The second 60 is a leap second. A pattern can say all of it, so that the
 * schema does, wherever it is read, and it costs no more than one that only counts digits.
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
export const Side = (description?: string) =>
  Type.Union([Type.Literal('buy'), Type.Literal('sell')], description === undefined ? {} : { description })

/** Data objects are closed: a field that the table does not have is an error, not a guess. */
export const closed = { additionalProperties: false } as const
