import { type TSchema, Type } from '@sinclair/typebox'
import {
  AccountReset, Acknowledge, Acknowledged, AlertRule, AlertRuleChange, AlertRulesAnswer, Bar, ErrorMessage,
  Instrument, MAX_HEARTBEAT_SECONDS, MAX_POLL_LIMIT, MAX_WAIT_SECONDS, MIN_HEARTBEAT_SECONDS, NewAlertRule,
  NewOrder, NewStrategy, OrderAccepted, OrderCancel, OrderChange, PollAnswer, PublishAnswer, PublishItem,
  ResetAccepted, StrategiesAnswer, StrategyRecord, StrategyRegistryAnswer, Timestamp, UnacknowledgedAnswer
} from '@tickwire/protocol'
import { PutAnswer, RemoveAnswer } from '../src/instruments/answers.js'
import { NodesOverview } from '../src/nodes/schema.js'

/**
 * What the reference at `/docs` says of each endpoint. The handlers check requests, strictly and alike on all
 * transports; these schemas convert and remove nothing.
 */
export const bearer = [{ bearer: [] }]
const Refusal = Type.Object(ErrorMessage.properties, {
  description: 'an entry of the table of errors (PROTOCOL.md, Errors and closing)'
})
export const refused = (...statuses: number[]): Record<string, TSchema> =>
  Object.fromEntries(statuses.map(status => [status, Refusal]))
const Nothing = Type.Null({ description: 'done' })
const Topic = Type.String({ description: 'a channel and its symbol', examples: ['quotes:005930'] })

export const streamSchema = {
  tags: ['stream'],
  summary: 'The stream: WebSocket with an upgrade, Server-Sent Events if Accept names text/event-stream, ' +
    'else a poll',
  security: bearer,
  querystring: Type.Object({
    subscribe: Type.Array(Type.String(), {
      description: 'repeatable: a channel, its symbols or sets, then options',
      examples: [['quotes:AAPL,MSFT;throttle_ms=250', 'trades:@sector/semiconductors;last=50']]
    }),
    after: Type.Optional(Type.String({ description: 'a cursor: resumes after it' })),
    lastEventId: Type.Optional(Type.String({
      description: 'event streams: stands for the header Last-Event-ID, for clients that cannot set it'
    })),
    throttle_ms: Type.Optional(Type.Integer({
      description: 'for every subscription that can be throttled and has no throttle_ms of its own'
    })),
    snapshot: Type.Optional(Type.Boolean({ default: true, description: 'begins with the present state' })),
    decimals: Type.Optional(Type.Union(
      [Type.Literal('string'), Type.Literal('number')], { default: 'string' }
    )),
    wait: Type.Optional(Type.Integer({
      minimum: 0, maximum: MAX_WAIT_SECONDS, description: 'polling: how many seconds to hold an empty answer'
    })),
    limit: Type.Optional(Type.Integer({
      minimum: 1, maximum: MAX_POLL_LIMIT, description: 'polling: the most log messages in the answer'
    })),
    heartbeat: Type.Optional(Type.Integer({
      minimum: MIN_HEARTBEAT_SECONDS,
      maximum: MAX_HEARTBEAT_SECONDS,
      description: 'WebSocket and event streams: the server sends something at least every so many seconds'
    })),
    ticket: Type.Optional(Type.String({ description: 'a ticket of GET /api/ws/token; it works once' })),
    token: Type.Optional(Type.String({
      description: 'a token, if the client cannot set the Authorization header'
    }))
  }),
  response: { 200: PollAnswer, ...refused(400, 401, 403, 429, 503) }
}

export const ticketSchema = {
  tags: ['stream'],
  summary: 'A ticket that stands for the token once, within 30 s; ' +
    'with cookie=1 also the cookie for an EventSource',
  security: bearer,
  querystring: Type.Object({ cookie: Type.Optional(Type.Literal('1')) }),
  response: {
    200: Type.Object({ ticket: Type.String(), expires_in: Type.Integer({ description: 'seconds' }) }),
    ...refused(400, 401, 413, 503)
  }
}

export const cookieEndSchema = {
  tags: ['stream'],
  summary: 'Has the browser delete the cookie; for a page that logs its user out',
  response: { 204: Nothing, ...refused(403, 429) }
}

export const publishSchema = {
  tags: ['publish'],
  summary: 'Publishes one message, an array, or a line of JSON for each',
  security: bearer,
  consumes: ['application/json', 'application/x-ndjson'],
  body: Type.Union([PublishItem, Type.Array(PublishItem)]),
  response: {
    200: PublishAnswer,
    ...refused(400, 401, 403, 413, 429, 503)
  }
}

export const ackSchema = {
  tags: ['acknowledgements'],
  summary: 'Acknowledges all messages of a channel up to a sequence, for all connections of the user',
  security: bearer,
  body: Acknowledge,
  response: { 200: Acknowledged, ...refused(400, 401, 403, 429, 503) }
}

export const unacknowledgedSchema = {
  tags: ['acknowledgements'],
  summary: 'What the user has not acknowledged, and since when',
  security: bearer,
  response: { 200: UnacknowledgedAnswer, ...refused(401, 429, 503) }
}

const PublicJwk = Type.Object({
  kty: Type.Literal('OKP'),
  crv: Type.Literal('Ed25519'),
  x: Type.String(),
  kid: Type.String(),
  use: Type.Literal('sig'),
  alg: Type.Literal('EdDSA')
})

export const keysSchema = {
  tags: ['trading'],
  summary: 'The public keys that verify the messages of orders: a JSON Web Key Set',
  response: { 200: Type.Object({ keys: Type.Array(PublicJwk) }), ...refused(400, 429) }
}

const alertRule = { tags: ['alerts'], security: bearer }
const RuleId = Type.Object({ id: Type.String({ description: 'the `rule_id`' }) })

export const alertsSchema = {
  ...alertRule,
  summary: 'The alert rules of the user',
  response: { 200: AlertRulesAnswer, ...refused(401, 403, 429, 503) }
}
export const addAlertSchema = {
  ...alertRule,
  summary: 'Adds an alert rule',
  body: NewAlertRule,
  response: { 201: AlertRule, ...refused(400, 401, 403, 429, 503) }
}
export const alertSchema = {
  ...alertRule,
  summary: 'One alert rule',
  params: RuleId,
  response: { 200: AlertRule, ...refused(401, 403, 404, 429, 503) }
}
export const changeAlertSchema = {
  ...alertRule,
  summary: 'Changes an alert rule, which then watches as a new one; null takes a field away',
  params: RuleId,
  body: AlertRuleChange,
  response: { 200: AlertRule, ...refused(400, 401, 403, 404, 429, 503) }
}
export const removeAlertSchema = {
  ...alertRule,
  summary: 'Removes an alert rule',
  params: RuleId,
  response: { 204: Nothing, ...refused(401, 403, 404, 429, 503) }
}

const startedStrategy = { tags: ['strategies'], security: bearer }
const StrategyId = Type.Object({ id: Type.String({ description: 'the `strategy_id`' }) })

export const strategyRegistrySchema = {
  ...startedStrategy,
  summary: 'The strategies that users can start, with their parameters',
  response: { 200: StrategyRegistryAnswer, ...refused(401, 403, 429) }
}
export const strategiesSchema = {
  ...startedStrategy,
  summary: 'The strategies that the user has started',
  response: { 200: StrategiesAnswer, ...refused(401, 403, 429, 503) }
}
export const addStrategySchema = {
  ...startedStrategy,
  summary: 'Starts a strategy',
  body: NewStrategy,
  response: { 201: StrategyRecord, ...refused(400, 401, 403, 404, 429, 503) }
}
export const askStrategySchema = (action: string): object => ({
  ...startedStrategy,
  summary: `Makes a strategy ${action}`,
  params: StrategyId,
  response: { 200: StrategyRecord, ...refused(400, 401, 403, 404, 429, 503) }
})
export const removeStrategySchema = {
  ...startedStrategy,
  summary: 'Deletes a strategy, and stops it if it runs',
  params: StrategyId,
  response: { 204: Nothing, ...refused(401, 403, 404, 429, 503) }
}

const order = { tags: ['trading'], security: bearer }
const ordered = { 202: OrderAccepted, ...refused(400, 401, 403, 404, 409, 429, 503) }
const OrderId = Type.Object({ id: Type.String({ description: 'the `order_id`' }) })

export const submitOrderSchema = {
  ...order,
  summary: 'Hands an order to the exchange; what becomes of it is a message of the channel orders',
  body: NewOrder,
  response: { 202: OrderAccepted, ...refused(400, 401, 403, 409, 429, 503) }
}
export const cancelOrderSchema = {
  ...order,
  summary: 'Asks the exchange to cancel an order',
  params: OrderId,
  querystring: OrderCancel,
  response: ordered
}
export const replaceOrderSchema = {
  ...order,
  summary: 'Asks the exchange to give an order another quantity or other prices',
  params: OrderId,
  body: OrderChange,
  response: ordered
}
export const resetAccountSchema = {
  ...order,
  summary: 'Cancels all orders of the user, and begins the account anew with the starting balances',
  body: AccountReset,
  response: { 202: ResetAccepted, ...refused(400, 401, 403, 409, 429, 503) }
}

export const historySchema = {
  tags: ['topics'],
  summary: "A topic's messages: after a sequence, or its newest; " +
    'of a channel and symbol, also what is recorded, oldest first, as JSON, lines of JSON or a table',
  security: bearer,
  querystring: Type.Object({
    topic: Type.Optional(Topic),
    channel: Type.Optional(Type.String({ description: 'in place of `topic`', examples: ['trades'] })),
    symbol: Type.Optional(Type.String({ examples: ['AAPL'] })),
    from: Type.Optional(Type.String({ description: 'with `channel`: not before this time, ISO 8601' })),
    to: Type.Optional(Type.String({ description: 'with `channel`: before this time, ISO 8601' })),
    format: Type.Optional(Type.Union(['json', 'ndjson', 'csv'].map(format => Type.Literal(format)), {
      description: 'with `channel`: the form of the answer; default: by `Accept`'
    })),
    after: Type.Optional(Type.String({
      description: 'with `topic` the last sequence that the client has; with `channel` a `next`'
    })),
    epoch: Type.Optional(Type.String({
      description: 'the epoch in which the client saw `after`; without it the server detects no loss'
    })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_POLL_LIMIT, default: 1000 }))
  }),
  response: {
    200: Type.Union([
      Type.Object({
        epoch: Type.String(),
        messages: PollAnswer.properties.messages,
        first_sequence: Type.Integer(),
        last_sequence: Type.Integer(),
        more: Type.Boolean()
      }),
      Type.Object({
        messages: PollAnswer.properties.messages,
        next: Type.Union([Type.String(), Type.Null()]),
        more: Type.Boolean()
      })
    ]),
    ...refused(400, 401, 403, 404, 429, 503)
  }
}

export const snapshotSchema = {
  tags: ['topics'],
  summary: "A topic's state",
  security: bearer,
  querystring: Type.Object({ topic: Topic }),
  response: {
    200: Type.Unknown({ description: 'a data message with `snapshot: true`' }),
    ...refused(400, 401, 403, 404, 429)
  }
}

/** Most bars in one answer. */
export const MAX_BARS = 5000
const Instant = Timestamp('ISO 8601 with a zone')

export const barsSchema = {
  tags: ['topics'],
  summary: 'The bars of a symbol, each as it was last revised; ' +
    'a subscription after the sequence of the answer goes on from there',
  security: bearer,
  querystring: Type.Object({
    symbol: Type.String({ examples: ['005930'] }),
    interval: Bar.properties.interval,
    from: Type.Optional(Type.String({ ...Instant, description: 'bars that start at it or later' })),
    to: Type.Optional(Type.String({ ...Instant, description: 'bars that start before it' })),
    limit: Type.Optional(Type.Integer({
      minimum: 1, maximum: MAX_BARS, default: 1000, description: 'the newest so many of them'
    }))
  }),
  response: {
    200: Type.Object({
      epoch: Type.String(),
      sequence: Type.Integer({ description: 'of the last message of the topic that the bars have' }),
      bars: Type.Array(Bar)
    }),
    ...refused(400, 401, 403, 429, 503)
  }
}

export const symbolsSchema = {
  tags: ['topics'],
  summary: 'The known instruments',
  security: bearer,
  querystring: Type.Object({ market: Type.Optional(Type.String()), sector: Type.Optional(Type.String()) }),
  response: { 200: Type.Object({ symbols: Type.Array(Instrument) }), ...refused(400, 401, 429) }
}

export const nodesSchema = {
  tags: ['admin'],
  summary: 'The servers that share the log, which server runs which source, ' +
    'and how far each follows each shard',
  security: bearer,
  response: { 200: NodesOverview, ...refused(401, 403, 429, 503) }
}

export const putSymbolsSchema = {
  tags: ['admin'],
  summary: 'Declares instruments, or replaces what is known of them, whatever sources say',
  security: bearer,
  body: Type.Union([Type.Array(Instrument), Instrument]),
  response: { 200: PutAnswer, ...refused(400, 401, 403, 413, 429, 503) }
}

export const removeSymbolsSchema = {
  tags: ['admin'],
  summary: 'Removes instruments, named in the query or in the body, whoever declared them',
  security: bearer,
  querystring: Type.Object({
    symbols: Type.Optional(Type.String({ description: 'a comma list', examples: ['AAPL,MSFT'] }))
  }),
  body: Type.Optional(Type.Array(Type.String())),
  response: { 200: RemoveAnswer, ...refused(400, 401, 403, 413, 429, 503) }
}

const operator = {
  tags: ['admin'], security: bearer, response: { 204: Nothing, ...refused(400, 401, 403, 404, 429, 503) }
}
const SourceName = Type.Object({ name: Type.String({ examples: ['simulated', 'replay'] }) })

export const startSourceSchema = {
  ...operator, summary: 'Starts a source: on this server, unless another runs it', params: SourceName
}
export const stopSourceSchema = {
  ...operator, summary: 'Stops a source, on whichever server it runs', params: SourceName
}

const Id = Type.String({ minLength: 1, maxLength: 128 })

/** The connections to close: one, or all of a user. */
export const Disconnect = Type.Union([
  Type.Object({ connection_id: Id }, { additionalProperties: false }),
  Type.Object({ user_id: Id }, { additionalProperties: false })
])

export const disconnectSchema = {
  ...operator,
  summary: 'Closes one connection, or all of a user, on whichever server they are; the clients may come back',
  body: Disconnect
}

export const livenessSchema = {
  tags: ['health'],
  summary: 'Whether the process answers',
  response: { 200: Type.Object({ status: Type.Literal('ok') }) }
}
export const readinessSchema = {
  tags: ['health'],
  summary: 'Whether the server takes clients: it is registered with the others, it can reach the log, ' +
    'and it is not going away',
  response: { 200: Type.Object({ status: Type.Literal('ready') }), ...refused(503) }
}
