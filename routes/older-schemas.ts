import { Type } from '@sinclair/typebox'
import { bearer, refused } from './schemas.js'

/** What the reference says of the endpoints for older clients: docs/compat.md has their messages. */

const older = { tags: ['older clients'], security: bearer }
const Credentials = Type.Object({
  token: Type.Optional(Type.String({ description: 'a token' })),
  ticket: Type.Optional(Type.String({ description: 'a ticket of GET /api/ws/token; it works once' }))
})
const Count = Type.Integer({ minimum: 0 })
const Names = Type.Array(Type.String())

export const htsSchema = {
  ...older,
  summary: 'A WebSocket of price:, order:, strategy:, orderbook: and alert: topics',
  querystring: Credentials,
  response: refused(400, 401, 403, 429, 503)
}

export const heatmapSocketSchema = {
  ...older,
  summary: 'A WebSocket of heatmaps of liquidations',
  querystring: Credentials,
  response: refused(400, 401, 403, 429, 503)
}

export const statsSchema = {
  ...older,
  summary: 'The figures of /ws/heatmap on the server that is asked',
  response: {
    200: Type.Object({
      active_connections: Count,
      messages_sent_1m: Count,
      slow_consumers: Count,
      subscriptions_by_symbol: Type.Record(Type.String(), Count)
    }),
    ...refused(400, 401, 403, 429)
  }
}

export const statusSchema = {
  ...older,
  summary: 'Who is connected to the server that is asked; users and topics only for operators',
  response: {
    200: Type.Object({
      active_connections: Count,
      active_users: Names,
      subscriptions: Type.Record(Type.String(), Names),
      price_streamer_running: Type.Boolean(),
      truncated: Type.Optional(Type.Literal(true))
    }),
    ...refused(400, 401, 403, 429)
  }
}

export const channelsSchema = {
  ...older,
  summary: 'The channels, with their fields, who may read them, and what a subscription may ask for',
  response: {
    200: Type.Object({
      channels: Type.Array(Type.Object({
        name: Type.String(),
        type: Type.String(),
        description: Type.String(),
        access: Type.String(),
        symbols: Type.Boolean(),
        fields: Type.Array(Type.Object({
          name: Type.String(),
          type: Type.String(),
          required: Type.Boolean(),
          description: Type.Optional(Type.String())
        })),
        delivery: Type.Object({
          snapshot: Type.Boolean(),
          throttle_ms: Type.Boolean(),
          depth: Type.Boolean(),
          acknowledged: Type.Boolean(),
          websocket: Type.Boolean()
        })
      }))
    }),
    ...refused(400, 401, 403, 429)
  }
}
