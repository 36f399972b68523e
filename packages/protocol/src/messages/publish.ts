import { type Static, Type } from '@sinclair/typebox'
import { MAX_CHANNEL_LENGTH } from '../topic.js'
import { Code } from './code.js'

/** What publishes and how it is answered (PROTOCOL.md, Publishing): alike over HTTP and over WebSocket. */

/** Most messages of one request. */
export const MAX_PUBLISH_ITEMS = 10_000

export const PublishItem = Type.Object({
  channel: Type.String({ maxLength: MAX_CHANNEL_LENGTH }),
  symbol: Type.Optional(Type.String()),
  user: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'whose private topic' })),
  data: Type.Unknown({ description: "as the channel's schema has it" }),
  snapshot: Type.Optional(Type.Boolean({ description: "replaces the topic's state" })),
  idempotency_key: Type.Optional(Type.String({
    minLength: 1, maxLength: 128, description: 'repeated within ten minutes, nothing is appended again'
  }))
}, { additionalProperties: false })
export type PublishItem = Static<typeof PublishItem>

export const PublishAnswer = Type.Object({
  accepted: Type.Integer({ minimum: 0 }),
  rejected: Type.Array(Type.Object({ index: Type.Integer({ minimum: 0 }), code: Code, message: Type.String() })),
  sequences: Type.Array(Type.Union([Type.Integer(), Type.Null()]), {
    description: 'one for each message, in its place; null where it was rejected'
  })
})
export type PublishAnswer = Static<typeof PublishAnswer>
