import { type Static, Type } from '@sinclair/typebox'
import { closed, defineChannel, Identifier, OneOf, Text, Timestamp } from './channel.js'

/** Two minutes of one node. */
const RETAINED_MESSAGES = 120
const MAX_CHANNELS = 1000
const MAX_SOURCES = 10_000

const Count = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description === undefined ? {} : { description }) })
const Amount = (description?: string) =>
  Type.Number({ minimum: 0, ...(description === undefined ? {} : { description }) })
const SourceState = OneOf(['waiting', 'running', 'retrying', 'ended'], { description: 'on this node' })
const Latency = { latency_ms: Type.Optional(Amount('of a request; absent if it was not answered')) }

/** What is sent to clients of a channel, or over a transport. Totals are since the node's start. */
const Sent = {
  messages_per_second: Amount(),
  bytes_per_second: Amount(),
  messages_total: Count(),
  bytes_total: Count()
}

/** The figures of one node, over the time since its message before. */
export const MonitorFigures = Type.Object({
  node: Identifier(),
  name: Text(256),
  version: Text(64),
  started: Timestamp('when the node started'),
  time: Timestamp('of the figures'),
  interval_ms: Amount('the time over which rates and latencies are taken'),
  users: Count('different users with an open connection'),
  subscriptions: Count('selectors of all connections'),
  transports: Type.Array(Type.Object({
    transport: Text(32),
    connections: Count('open now; of polls, those that are being answered'),
    ...Sent,
    received_per_second: Amount('messages that clients sent'),
    received_bytes_per_second: Amount(),
    received_total: Count(),
    received_bytes_total: Count(),
    lagging: Count('connections that read too slowly, and are served from the log')
  }, closed), { maxItems: 16 }),
  channels: Type.Array(Type.Object({ channel: Text(128), ...Sent }, closed), { maxItems: MAX_CHANNELS }),
  latency: Type.Object({
    count: Count('topics whose messages were delivered, each once for each window'),
    p50_ms: Type.Optional(Amount()),
    p95_ms: Type.Optional(Amount()),
    p99_ms: Type.Optional(Amount())
  }, { ...closed, description: 'from the log to the last socket; absent if nothing was delivered' }),
  slow_readers: Count('connections with unsent bytes'),
  lagging: Count(),
  unsent_bytes: Count('of all connections'),
  overdue: Type.Array(Type.Object({
    channel: Text(128),
    users: Count(),
    oldest_seconds: Amount()
  }, closed), { maxItems: MAX_CHANNELS, description: 'not acknowledged for too long; one node knows' }),
  log: Type.Object({
    kind: OneOf(['memory', 'files', 'redis', 'other']),
    available: Type.Boolean(),
    ...Latency,
    topics: Count('that this node knows')
  }, closed),
  redis: Type.Optional(Type.Object({ available: Type.Boolean(), ...Latency }, closed)),
  sources: Type.Array(
    Type.Object({ source: Text(256), state: SourceState }, closed), { maxItems: MAX_SOURCES }
  ),
  processors: Type.Array(
    Type.Object({ processor: Text(256), state: SourceState }, closed), { maxItems: MAX_SOURCES }
  ),
  store: Type.Object({
    state: OneOf(['none', 'available', 'unavailable', 'closed']),
    waiting: Count('rows'),
    dropped: Count('rows'),
    refused: Count('rows'),
    complete: Type.Boolean({ description: 'false: rows of the monitor were lost since the node started' })
  }, closed),
  event_loop_delay_ms: Amount('99 % of its turns begin no later than this'),
  cpu: Amount('cores used'),
  memory_bytes: Count()
}, closed)
export type MonitorFigures = Static<typeof MonitorFigures>

export const monitor = defineChannel({
  name: 'monitor',
  type: 'monitor',
  description: 'The figures of each server, each second while somebody subscribes.',
  keyed: false,
  access: 'admin',
  schema: MonitorFigures,
  retention: { messages: RETAINED_MESSAGES }
})
