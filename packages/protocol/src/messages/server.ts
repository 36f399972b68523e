import { type Static, Type } from '@sinclair/typebox'
import { RequestId } from './client.js'
import { Code } from './code.js'
import { OrderAnswer } from './orders.js'
import { PublishAnswer } from './publish.js'

/** The messages of a server (PROTOCOL.md, Server → client): the same objects on every transport. */

export const PROTOCOL_NAME = 'tickwire.v1'
/** A text frame is one message. */
export const JSON_SUBPROTOCOL = 'tickwire.v1.json'
/** A text frame is an array of messages. */
export const BATCH_SUBPROTOCOL = 'tickwire.v1.batch'
/** The most bytes of such an array, unless it holds a single message. Common clients read this much. */
export const MAX_ARRAY_BYTES = 32_768

const id = Type.Optional(RequestId)
const Milliseconds = Type.Integer({ minimum: 0 })
const UtcTime = Type.String({ description: 'ISO 8601 UTC with milliseconds' })

/** A data message; `data` fits the channel's schema. */
export const DataMessage = Type.Object({
  type: Type.String(),
  channel: Type.String(),
  symbol: Type.Optional(Type.String()),
  sequence: Type.Integer({ minimum: 1 }),
  timestamp: UtcTime,
  snapshot: Type.Optional(Type.Literal(true)),
  prev: Type.Optional(Type.Integer({ minimum: 0 })),
  data: Type.Unknown()
})
export type DataMessage = Static<typeof DataMessage>

export const Welcome = Type.Object({
  type: Type.Literal('welcome'),
  protocol: Type.Literal(PROTOCOL_NAME),
  connection_id: Type.String(),
  user_id: Type.Optional(Type.String()),
  server_time: UtcTime,
  heartbeat_ms: Milliseconds
})

export const RejectedSymbol = Type.Object({
  symbol: Type.Optional(Type.String()), code: Code, message: Type.String()
})
export type RejectedSymbol = Static<typeof RejectedSymbol>

export const Subscribed = Type.Object({
  type: Type.Literal('subscribed'),
  id,
  subscription_id: Type.String(),
  channel: Type.String(),
  symbols: Type.Array(Type.String()),
  rejected: Type.Array(RejectedSymbol),
  throttle_ms: Type.Optional(Milliseconds),
  epoch: Type.String(),
  recovered: Type.Optional(Type.Boolean())
})

export const ResetReason = Type.Union([
  Type.Literal('history_lost'),
  Type.Literal('epoch_changed'),
  Type.Literal('lagging'),
  Type.Literal('entered')
])
export type ResetReason = Static<typeof ResetReason>

export const Reset = Type.Object({
  type: Type.Literal('reset'),
  channel: Type.String(),
  symbol: Type.Optional(Type.String()),
  reason: ResetReason
})
export const CursorMessage = Type.Object({ type: Type.Literal('cursor'), cursor: Type.String() })
export const EpochMessage = Type.Object({ type: Type.Literal('epoch'), epoch: Type.String() })
export const Unsubscribed = Type.Object({
  type: Type.Literal('unsubscribed'), id, channel: Type.String(), symbols: Type.Array(Type.String())
})
export const Done = Type.Object({ type: Type.Literal('done'), id })
export const Pong = Type.Object({ type: Type.Literal('pong'), id, timestamp: UtcTime })
export const Authenticated = Type.Object({
  type: Type.Literal('authenticated'), id, user_id: Type.String(), expires_at: UtcTime
})
export const Published = Type.Object({ type: Type.Literal('published'), id, ...PublishAnswer.properties })
export const Acknowledged = Type.Object({
  type: Type.Literal('acknowledged'), id, channel: Type.String(), sequence: Type.Integer({ minimum: 0 })
})
export type Acknowledged = Static<typeof Acknowledged>
/** The log has a request about an order; what becomes of it is a message of `orders`. */
export const OrderAccepted = Type.Object({
  type: Type.Literal('order_accepted'), id, ...OrderAnswer.properties
})
export type OrderAccepted = Static<typeof OrderAccepted>
export const AuthExpiring = Type.Object({ type: Type.Literal('auth_expiring'), expires_at: UtcTime })
export const Heartbeat = Type.Object({
  type: Type.Literal('heartbeat'), timestamp: UtcTime, cursor: Type.String()
})
export const Lagging = Type.Object({
  type: Type.Literal('lagging'), behind: Type.Integer({ minimum: 0 })
})
export const Closing = Type.Object({
  type: Type.Literal('closing'),
  code: Code,
  reason: Type.String(),
  retry_after_ms: Type.Optional(Milliseconds)
})
export const ErrorMessage = Type.Object({
  type: Type.Literal('error'),
  id,
  code: Code,
  message: Type.String(),
  retry_after_ms: Type.Optional(Milliseconds)
})
export type ErrorMessage = Static<typeof ErrorMessage>

export const ControlMessage = Type.Union([
  Welcome, Subscribed, Reset, CursorMessage, EpochMessage, Unsubscribed, Done, Pong, Authenticated, Published,
  Acknowledged, OrderAccepted, AuthExpiring, Heartbeat, Lagging, Closing, ErrorMessage
])
export type ControlMessage = Static<typeof ControlMessage>

/** The types of control messages. No channel may use them: a client could not tell the messages apart. */
export const controlTypes: readonly string[] =
  ControlMessage.anyOf.map(({ properties }) => properties.type.const)

/** The answer to a poll. */
export const PollAnswer = Type.Object({
  cursor: Type.String(),
  messages: Type.Array(Type.Union([DataMessage, Reset])),
  more: Type.Boolean()
})
export type PollAnswer = Static<typeof PollAnswer>

/** What a user has still to acknowledge in a channel. */
export const OpenMessages = Type.Object({
  channel: Type.String(),
  acknowledged: Type.Integer({ minimum: 0, description: 'the sequence up to which all is acknowledged' }),
  last_sequence: Type.Integer({ minimum: 0 }),
  open: Type.Integer({ minimum: 0, description: 'retained messages that are not acknowledged' }),
  lost: Type.Integer({ minimum: 0, description: 'messages that were dropped before they were acknowledged' }),
  open_since: Type.Optional(Type.String({ description: 'the timestamp of the oldest open message' }))
})
export type OpenMessages = Static<typeof OpenMessages>

/** The answer to `GET /v1/unacknowledged`. */
export const UnacknowledgedAnswer = Type.Object({ epoch: Type.String(), channels: Type.Array(OpenMessages) })
