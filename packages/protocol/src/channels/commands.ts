import { type Static, Type } from '@sinclair/typebox'
import { ORDER_TYPES, TIMES_IN_FORCE } from '../order-terms.js'
import { closed, Decimal, defineChannel, Identifier, OneOf, Side, SymbolName, Text } from './channel.js'

/** For this long, in seconds, the log answers a repeated request as it answered the first. */
export const COMMAND_SECONDS = 7 * 86_400
/** The most commands of a user that the log keeps. */
const MAX_COMMANDS = 100_000

const RequestKey = Identifier()

/** An order as its user wants it, checked by the server that took the request. */
export const SubmitCommand = Type.Object({
  action: Type.Literal('submit_order'),
  order_id: Identifier(),
  client_order_id: Identifier(),
  symbol: SymbolName(),
  side: Side(),
  order_type: OneOf(ORDER_TYPES),
  time_in_force: OneOf(TIMES_IN_FORCE),
  quantity: Decimal(),
  limit_price: Type.Optional(Decimal()),
  stop_price: Type.Optional(Decimal()),
  // What the server knows of the instrument, so that whoever decides about the order needs nothing else.
  market: Type.Optional(SymbolName()),
  currency: Text(16)
}, closed)
export type SubmitCommand = Static<typeof SubmitCommand>

export const CancelCommand = Type.Object({
  action: Type.Literal('cancel_order'), request_id: RequestKey, order_id: Identifier()
}, closed)
export type CancelCommand = Static<typeof CancelCommand>

export const ReplaceCommand = Type.Object({
  action: Type.Literal('replace_order'),
  request_id: RequestKey,
  order_id: Identifier(),
  quantity: Type.Optional(Decimal()),
  limit_price: Type.Optional(Decimal()),
  stop_price: Type.Optional(Decimal())
}, closed)
export type ReplaceCommand = Static<typeof ReplaceCommand>

/** Closes everything that a user has on the paper exchange, and begins anew with the starting balances. */
export const ResetCommand = Type.Object({
  action: Type.Literal('reset_account'), request_id: RequestKey
}, closed)
export type ResetCommand = Static<typeof ResetCommand>

export const Command = Type.Union([SubmitCommand, CancelCommand, ReplaceCommand, ResetCommand])
export type Command = Static<typeof Command>

/** What users ask of the exchange, in the order in which the log took it: a topic for each user. */
export const commands = defineChannel({
  name: 'commands',
  type: 'command',
  description: 'What users ask of the exchange.',
  keyed: false,
  access: 'internal',
  retention: { seconds: COMMAND_SECONDS, messages: MAX_COMMANDS },
  idempotencySeconds: COMMAND_SECONDS,
  schema: Command
})
