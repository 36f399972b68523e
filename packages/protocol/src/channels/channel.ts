import type { Static, TSchema } from '@sinclair/typebox'
import type { ChannelAccess } from './access.js'
import { channelFault } from './check.js'

export * from './fields.js'

/**
 * A function type that TypeScript compares like a method, so that channels of different data fit in one list.
 * The code behind the list gives each channel only data that the channel's own schema has validated.
 */
type Method<Arguments extends unknown[], Result> = { call (...args: Arguments): Result }['call']

/** Folds a message into a topic's state; a snapshot is that state. */
export type Reduce<Data> = Method<[state: Data | undefined, data: Data, replaces: boolean], Data>

/**
 * Conflates a message with the pending message of a throttled subscriber. The result does to a state what
 * both messages do one after the other, even to a state that already holds some of them. It changes neither
 * message.
 * @param replaces whether `pending` replaces the state; if so, the result replaces it too
 */
export type Merge<Data> = Method<[pending: Data, data: Data, replaces: boolean], Data>

/** Cuts a state to its best levels, for subscribers that ask for a `depth`. */
export interface Cut<Data> {
  /**
   * Returns the best `depth` levels of a state. The result shares nothing with it that {@link Reduce}
   * changes.
   */
  cut (state: Data, depth: number): Data
  /** Returns the message that turns one cut state into the next; undefined if they are the same. */
  changes (before: Data, after: Data): Data | undefined
}

export interface ChannelDefinition<Schema extends TSchema = TSchema> {
  readonly name: string
  /** The `type` of its messages. */
  readonly type: string
  /** A sentence for the docs. */
  readonly description: string
  /** Whether its topics have a symbol. */
  readonly keyed: boolean
  readonly access: ChannelAccess
  readonly schema: Schema
  /** How much of a topic of this channel is retained, if it differs from the log's own bounds. */
  readonly retention?: { readonly messages?: number, readonly seconds?: number }
  /** For how many seconds the log remembers an idempotency key of a topic. Default: ten minutes. */
  readonly idempotencySeconds?: number
  /**
   * `last`: the last message is the state. A function folds a message into the state and returns the state;
   * it may change the state that it is given, but not the message. Absent: the channel is a history; its
   * topics have no state and no snapshot.
   */
  readonly reduce?: 'last' | Reduce<Static<Schema>>
  /**
   * Conflates messages for a throttled subscriber. `last`: the last message does what all of them do. Absent:
   * each message counts, and the channel cannot be throttled. It needs `reduce`, because a throttled
   * subscriber resumes by snapshot.
   */
  readonly merge?: 'last' | Merge<Static<Schema>>
  /**
   * For a channel whose state has a best part, such as a book. It needs functions for `reduce` and `merge`.
   */
  readonly levels?: Cut<Static<Schema>>
  /**
   * For topics that a server must not forget, such as accounts. Retention never drops the newest message of a
   * topic, and with a log in memory the store brings it back after a restart. A message with `data: null`
   * removes its topic. It needs `reduce: 'last'` and the access `internal`. `log` does the same without the
   * store, for messages that are published again at each start.
   */
  readonly compacted?: boolean | 'log'
  /**
   * For a user's messages that must reach the user: a subscription without a position begins behind the last
   * message that the user acknowledged, and the retention keeps what nobody acknowledged, up to
   * `retention.messages` of each user (ADR 46). It needs the access `user`; the channel has no symbols and no
   * state.
   */
  readonly acknowledged?: boolean
  /**
   * Whether clients may leave out the hyphen of a pair: `BTCUSDT` then names the topic of `BTC-USDT`.
   */
  readonly eitherSpelling?: boolean
}

type Compacted = Partial<Pick<ChannelDefinition, 'compacted'>>

/** Returns whether no bound of the retention drops the newest message of a channel's topics. */
export const isCompacted = ({ compacted }: Compacted): boolean => compacted === true || compacted === 'log'

/** Returns whether a message removes its topic. @param payload its data as JSON text */
export const isRemoval = (channel: Compacted, payload: string): boolean => (
  payload === 'null' && isCompacted(channel)
)

/**
 * Returns the definition of a channel, checked. It keeps the schema's own type, so that the compiler checks
 * `reduce` against it.
 * @throws TypeError if the server cannot use the definition
 */
export function defineChannel<Schema extends TSchema> (
  definition: ChannelDefinition<Schema>
): ChannelDefinition<Schema> {
  const fault = channelFault(definition)
  if (fault !== undefined) throw new TypeError(fault)
  return definition
}
