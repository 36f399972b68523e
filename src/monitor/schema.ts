import { type Static, type TSchema, Type } from '@sinclair/typebox'

/** What `/v1/admin/connections` and `/v1/admin/metrics` answer with. */

const Instant = (description: string) => Type.String({ description: `ISO 8601; ${description}` })
const Nullable = <Schema extends TSchema>(
  schema: Schema, description: string
) => Type.Union([schema, Type.Null()], { description })

export const TRANSPORTS = ['websocket', 'sse', 'poll'] as const

export const ConnectionView = Type.Object({
  connection_id: Type.String(),
  transport: Type.String({ description: TRANSPORTS.join(', ') }),
  user_id: Nullable(Type.String(), 'null: anonymous'),
  node: Type.String({ description: "a node's id" }),
  name: Type.String({ description: "the node's" }),
  address: Type.String(),
  connected_at: Instant('of a poll: when it came'),
  last_heartbeat: Instant('when the client last gave a sign of life'),
  state: Type.String({
    description: 'live, catching_up, lagging; polling: a poll that is being answered; ended; ' +
      'lost: its server is gone, and never said how it ended'
  }),
  selectors: Type.Integer({ description: 'that it subscribes to, or did at its end' }),
  messages_sent: Type.Integer({ description: 'data messages and resets' }),
  bytes_sent: Type.Integer({ description: 'with framing' }),
  messages_received: Type.Integer({ description: 'of the client' }),
  bytes_received: Type.Integer({ description: 'without framing' }),
  lagging: Type.Boolean({ description: 'it reads too slowly, and is served from the log' }),
  unsent_bytes: Type.Integer({ description: 'that the system has not taken: the client reads slowly' }),
  unacknowledged: Nullable(
    Type.Integer(), 'messages that the user has not acknowledged; null if it subscribes to none of these'
  ),
  disconnected_at: Type.Optional(Nullable(Type.String(), 'of one that has ended; null: nobody knows when')),
  disconnect_code: Type.Optional(Nullable(Type.Integer(), 'the close code, if there was one')),
  disconnect_reason: Type.Optional(Nullable(
    Type.String(), 'why the server closed it: a code of the table of errors; null if it did not'
  ))
})
export type ConnectionView = Static<typeof ConnectionView>

const MissingNode = Type.Object({ node: Type.String(), name: Type.String() })
export type MissingNode = Static<typeof MissingNode>

export const ConnectionsAnswer = Type.Object({
  connections: Type.Array(ConnectionView),
  total: Type.Integer({ description: 'how many match; of those that have ended, at least so many' }),
  complete: Type.Boolean({
    description: 'false: servers are missing or could not be asked, or the store could not, or has lost rows'
  }),
  missing: Type.Array(MissingNode, { description: 'servers that did not answer in time' })
})
export type ConnectionsAnswer = Static<typeof ConnectionsAnswer>

const SubscriptionView = Type.Object({
  subscription_id: Type.String(),
  channel: Type.String(),
  symbols: Type.Optional(Type.Array(Type.String(), { description: 'absent in a channel without symbols' })),
  throttle_ms: Type.Optional(Type.Integer()),
  depth: Type.Optional(Type.Integer()),
  since: Instant('when it was confirmed'),
  until: Type.Optional(Instant('when it ended; only of those that come from the store'))
})
export type SubscriptionView = Static<typeof SubscriptionView>

const EventView = Type.Intersect([
  Type.Object({
    time: Instant('when it happened'),
    event: Type.String({
      description: 'connect, authenticate, subscribe, unsubscribe, lag, catch_up_end, reset, refuse, ' +
        'error, close'
    })
  }),
  Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Null()]), {
    description: 'who, how many and why, by the kind of event; never what was sent'
  })
])
export type EventView = Static<typeof EventView>

export const ConnectionAnswer = Type.Intersect([ConnectionView, Type.Object({
  subscriptions: Type.Array(SubscriptionView),
  omitted_symbols: Type.Integer({ description: 'of one that has ended, symbols that are not kept' }),
  events: Type.Array(EventView, { description: 'the last 200, oldest first; none from the store' }),
  omitted_events: Type.Integer({ description: 'how many came before these' })
})])
export type ConnectionAnswer = Static<typeof ConnectionAnswer>

const Percentile = Nullable(Type.Number(), 'from the log to the socket; null if nothing was delivered')

export const MetricsAnswer = Type.Object({
  from: Instant('the minutes begin no earlier'),
  to: Instant('and before this'),
  complete: Type.Boolean({ description: 'whether nothing in this time is missing' }),
  minutes: Type.Array(Type.Object({
    minute: Instant('its beginning'),
    node: Type.String(),
    name: Type.String(),
    channel: Type.String({ description: '* is the whole: all messages and bytes of all transports' }),
    messages: Type.Integer(),
    bytes: Type.Integer(),
    p50_ms: Percentile,
    p95_ms: Percentile,
    p99_ms: Percentile,
    complete: Type.Boolean({ description: 'false: the server has lost rows in this minute' })
  }), { description: 'oldest first' }),
  incomplete: Type.Array(Type.Object({
    node: Type.String(),
    name: Type.String(),
    from: Instant('the first minute'),
    to: Instant('behind the last')
  }), { description: 'where rows were lost, or have not been written yet' }),
  more: Type.Boolean({
    description: 'there are older ones: ask again, with the first minute of the answer as to'
  })
})
export type MetricsAnswer = Static<typeof MetricsAnswer>
