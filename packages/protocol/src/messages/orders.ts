import { type Static, type TObject, Type } from '@sinclair/typebox'
import { closed, OneOf, Side, SymbolName, Timestamp } from '../channels/fields.js'
import { ORDER_TYPES, TIMES_IN_FORCE } from '../order-terms.js'

/**
 * What a user asks of the exchange, and the answers (PROTOCOL.md, Orders); the same over HTTP and WebSocket.
 * The title of each field says what it must be, in the errors for clients.
 */

/** The time in force of an order that names none. */
export const DEFAULT_TIME_IN_FORCE = 'day'

const MAX_KEY_LENGTH = 128
const MAX_SIGNATURE_LENGTH = 128

const Key = (description: string) => Type.String({
  minLength: 1, maxLength: MAX_KEY_LENGTH, title: `a text of 1 to ${MAX_KEY_LENGTH} characters`, description
})
/**
 * Bounded, so that what is computed from quantity, price and fee fits the decimals of messages to the last
 * digit.
 */
const Amount = (description: string) => Type.String({
  pattern: '^(?=.*[1-9])(0|[1-9][0-9]{0,14})(\\.[0-9]{1,12})?$',
  title: 'a decimal above 0 and below 10^15 with at most 12 decimals',
  description
})
const Quantity = Amount('how much of the instrument')
const LimitPrice = Amount('of a limit or stop_limit order: it pays no more, or takes no less')
const StopPrice = Amount('of a stop or stop_limit order: the last price at which it begins to act')
const RequestKey = Key('names this request: the same request again is answered alike')
const OrderId = Key('the `order_id` of the answer to the submit')
const ClientOrderId = Key('names the order among those of the user, whoever sends it')

/** Beside the fields of every request, for signed ones (PROTOCOL.md, Signing). */
const signing = {
  timestamp: Type.Optional(Timestamp('when the client signed the request')),
  signature: Type.Optional(Type.String({
    pattern: '^[A-Za-z0-9_-]+$',
    maxLength: MAX_SIGNATURE_LENGTH,
    title: `base64url of at most ${MAX_SIGNATURE_LENGTH} characters`
  }))
}

export const NewOrder = Type.Object({
  client_order_id: ClientOrderId,
  symbol: SymbolName(),
  side: Side(),
  order_type: OneOf(ORDER_TYPES),
  quantity: Quantity,
  limit_price: Type.Optional(LimitPrice),
  stop_price: Type.Optional(StopPrice),
  time_in_force: Type.Optional(OneOf(TIMES_IN_FORCE, { default: DEFAULT_TIME_IN_FORCE })),
  ...signing
}, closed)
export type NewOrder = Static<typeof NewOrder>

/** A request about an order that was submitted before; one of the two ids names the order. */
export const NamedOrder = Type.Object({
  order_id: Type.Optional(OrderId), client_order_id: Type.Optional(ClientOrderId)
}, closed)
export type NamedOrder = Static<typeof NamedOrder>

export const OrderCancel = Type.Object({ request_id: RequestKey, ...signing }, closed)
export type OrderCancel = Static<typeof OrderCancel>

/** The new terms of an order; what is absent stays as it is. */
export const OrderChange = Type.Object({
  request_id: RequestKey,
  quantity: Type.Optional(Quantity),
  limit_price: Type.Optional(LimitPrice),
  stop_price: Type.Optional(StopPrice),
  ...signing
}, closed)
export type OrderChange = Static<typeof OrderChange>

export const AccountReset = Type.Object({ request_id: RequestKey, ...signing }, closed)
export type AccountReset = Static<typeof AccountReset>

const request = <Name extends string, Fields extends TObject['properties']> (name: Name, fields: Fields) =>
  Type.Object({ action: Type.Literal(name), ...fields }, closed)

/** The requests as they are checked and signed: each with its action, and without an `id`. */
export const SubmitOrder = request('submit_order', NewOrder.properties)
export type SubmitOrder = Static<typeof SubmitOrder>
export const CancelOrder = request('cancel_order', { ...NamedOrder.properties, ...OrderCancel.properties })
export type CancelOrder = Static<typeof CancelOrder>
export const ReplaceOrder = request('replace_order', { ...NamedOrder.properties, ...OrderChange.properties })
export type ReplaceOrder = Static<typeof ReplaceOrder>
export const ResetAccount = request('reset_account', AccountReset.properties)
export type ResetAccount = Static<typeof ResetAccount>
export type OrderRequest = SubmitOrder | CancelOrder | ReplaceOrder | ResetAccount

/** Names the order of a request that the log has, and repeats the ids that the request gave. */
export const OrderAnswer = Type.Object({
  order_id: Type.String(),
  client_order_id: Type.Optional(Type.String()),
  request_id: Type.Optional(Type.String())
})
export type OrderAnswer = Static<typeof OrderAnswer>

/** The answer to `POST /v1/account/reset`. */
export const ResetAccepted = Type.Object({
  type: Type.Literal('reset_accepted'), request_id: Type.String()
})
export type ResetAccepted = Static<typeof ResetAccepted>
