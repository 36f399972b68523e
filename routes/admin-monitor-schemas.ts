import { type TSchema, Type } from '@sinclair/typebox'
import { ConnectionAnswer, ConnectionsAnswer, MetricsAnswer, TRANSPORTS } from '../src/monitor/schema.js'
import { bearer, refused } from './schemas.js'

export const MAX_CONNECTIONS = 1000
export const DEFAULT_CONNECTIONS = 100
export const MAX_MINUTES = 10_000
export const DEFAULT_MINUTES = 5000

export const SORTS = [
  'connected_at', 'last_heartbeat', 'disconnected_at', 'messages_sent', 'bytes_sent', 'messages_received',
  'bytes_received', 'selectors', 'unsent_bytes'
] as const

const Text = (description: string): TSchema => Type.Optional(Type.String({ description }))

export const connectionsSchema = {
  tags: ['admin'],
  summary: 'The connections of all servers, and the polls that are being answered; or those that have ended',
  security: bearer,
  querystring: Type.Object({
    transport: Text(`one of ${TRANSPORTS.join(', ')}`),
    user: Text('the sub of their token'),
    node: Text("a server's id or name"),
    address: Text('where they come from'),
    sort: Text(`one of ${SORTS.join(', ')}, with - before it: greatest first; ` +
      'default: -connected_at, or -disconnected_at'),
    limit: Type.Optional(Type.Integer({
      minimum: 1, maximum: MAX_CONNECTIONS, default: DEFAULT_CONNECTIONS
    })),
    ended: Type.Optional(Type.Boolean({
      default: false, description: 'true: those that have ended, from the servers and from the store'
    }))
  }),
  response: { 200: ConnectionsAnswer, ...refused(400, 401, 403, 429) }
}

export const connectionSchema = {
  tags: ['admin'],
  summary: 'One connection, open or ended: what it subscribes to, and what has happened to it',
  security: bearer,
  params: Type.Object({ id: Type.String({ description: 'its connection_id' }) }),
  response: { 200: ConnectionAnswer, ...refused(400, 401, 403, 404, 429, 503) }
}

export const metricsPastSchema = {
  tags: ['admin'],
  summary: 'What the servers sent in the past, by minute and channel, as the store has it',
  security: bearer,
  querystring: Type.Object({
    from: Text('an instant; default: an hour before to'),
    to: Text('an instant; default: now'),
    channel: Text('a channel, or * for the whole; default: every row'),
    node: Text("a server's id or name"),
    limit: Type.Optional(Type.Integer({
      minimum: 1, maximum: MAX_MINUTES, default: DEFAULT_MINUTES, description: 'rows, the newest'
    }))
  }),
  response: { 200: MetricsAnswer, ...refused(400, 401, 403, 404, 429, 503) }
}
