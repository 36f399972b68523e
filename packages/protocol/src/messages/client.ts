import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { SELECTOR_FORMAT } from '../formats.js'
import { CancelOrder, ReplaceOrder, SubmitOrder } from './orders.js'
import { MAX_PUBLISH_ITEMS, type PublishItem } from './publish.js'
import { CHANNEL_PATTERN, MAX_CHANNEL_LENGTH } from '../topic.js'

/** The messages of a WebSocket client (PROTOCOL.md, Client → server), one schema for each action. */

/** The most symbols that one message, or one `subscribe` of a query, may name. */
export const MAX_SYMBOLS = 1000
export const MAX_TOKEN_LENGTH = 8192
export const MIN_THROTTLE_MS = 10
export const MAX_THROTTLE_MS = 60_000
/** The most levels of a side that `depth` may ask for. */
export const MAX_DEPTH = 5000
/** The most messages of a topic that `last` may ask for. */
export const MAX_LAST = 10_000

/** The longest text that a client may send for an epoch. */
const MAX_EPOCH_LENGTH = 256

const closed = { additionalProperties: false } as const

export const RequestId = Type.Union([Type.String({ maxLength: 64 }), Type.Integer()])
export type RequestId = Static<typeof RequestId>

const id = Type.Optional(RequestId)
const channel = Type.String({ pattern: `^(?:${CHANNEL_PATTERN})$`, maxLength: MAX_CHANNEL_LENGTH })
const symbols = Type.Array(Type.String({ format: SELECTOR_FORMAT, title: 'a symbol or a set' }), {
  minItems: 1,
  maxItems: MAX_SYMBOLS
})
const Sequence = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

export const ThrottleMs = Type.Integer({ minimum: MIN_THROTTLE_MS, maximum: MAX_THROTTLE_MS })

export const SubscribeAction = Type.Object({
  action: Type.Literal('subscribe'),
  id,
  channel,
  symbols: Type.Optional(symbols),
  throttle_ms: Type.Optional(ThrottleMs),
  depth: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_DEPTH })),
  last: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LAST })),
  fresh: Type.Optional(Type.Boolean()),
  snapshot: Type.Optional(Type.Boolean()),
  after: Type.Optional(Type.Union([
    // The length of a cursor is checked when it is read: a bad cursor has an error code of its own.
    Type.String(),
    // By symbol. No schema can check the names; they are checked when the position is read.
    Type.Record(Type.String(), Sequence),
    Sequence
  ])),
  epoch: Type.Optional(Type.String({ maxLength: MAX_EPOCH_LENGTH }))
}, closed)
export type SubscribeAction = Static<typeof SubscribeAction>

export const UnsubscribeAction = Type.Object({
  action: Type.Literal('unsubscribe'), id, channel, symbols: Type.Optional(symbols)
}, closed)
export type UnsubscribeAction = Static<typeof UnsubscribeAction>

export const SnapshotAction = Type.Object({
  action: Type.Literal('snapshot'), id, channel, symbols: Type.Optional(symbols)
}, closed)
export type SnapshotAction = Static<typeof SnapshotAction>

export const AuthAction = Type.Object({
  action: Type.Literal('auth'), id, token: Type.String({ minLength: 1, maxLength: MAX_TOKEN_LENGTH })
}, closed)
export type AuthAction = Static<typeof AuthAction>

export const PingAction = Type.Object({ action: Type.Literal('ping'), id }, closed)
export type PingAction = Static<typeof PingAction>

export const PublishAction = Type.Object({
  action: Type.Literal('publish'),
  id,
  // Each item is checked by itself, so that the others stand if one is bad.
  messages: Type.Array(Type.Unsafe<PublishItem>(Type.Unknown()), { minItems: 1, maxItems: MAX_PUBLISH_ITEMS })
}, closed)
export type PublishAction = Static<typeof PublishAction>

/** What a client says when it has dealt with the messages of an acknowledged channel. */
export const Acknowledge = Type.Object({
  channel,
  sequence: Sequence,
  epoch: Type.Optional(Type.String({ maxLength: MAX_EPOCH_LENGTH }))
}, closed)
export type Acknowledge = Static<typeof Acknowledge>

export const AckAction = Type.Object({ action: Type.Literal('ack'), id, ...Acknowledge.properties }, closed)
export type AckAction = Static<typeof AckAction>

export const SubmitOrderAction = Type.Object({ ...SubmitOrder.properties, id }, closed)
export type SubmitOrderAction = Static<typeof SubmitOrderAction>

export const CancelOrderAction = Type.Object({ ...CancelOrder.properties, id }, closed)
export type CancelOrderAction = Static<typeof CancelOrderAction>

export const ReplaceOrderAction = Type.Object({ ...ReplaceOrder.properties, id }, closed)
export type ReplaceOrderAction = Static<typeof ReplaceOrderAction>

/**
 * The schemas by the value of `action`. A reader looks the action up first and then checks its schema, so
 * that an error can say what is wrong.
 */
export const clientActions = {
  subscribe: SubscribeAction,
  unsubscribe: UnsubscribeAction,
  snapshot: SnapshotAction,
  auth: AuthAction,
  ping: PingAction,
  publish: PublishAction,
  ack: AckAction,
  submit_order: SubmitOrderAction,
  cancel_order: CancelOrderAction,
  replace_order: ReplaceOrderAction
} as const satisfies Record<string, TSchema>

export type ActionName = keyof typeof clientActions
export type ClientMessage =
  | SubscribeAction | UnsubscribeAction | SnapshotAction | AuthAction | PingAction | PublishAction
  | AckAction | SubmitOrderAction | CancelOrderAction | ReplaceOrderAction
