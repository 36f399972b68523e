import { type Static, Type } from '@sinclair/typebox'
import { MAX_CHANNEL_LENGTH } from '../topic.js'
import { Code } from './code.js'

/**
 * What a client publishes and the answer to it (PROTOCOL.md, Publishing); the same over HTTP and WebSocket.
 */

/** The most messages of one request. */
export const MAX_PUBLISH_ITEMS = 10_000

export const PublishItem = Type.Object({
  channel: Type.String({ maxLength: MAX_CHANNEL_LENGTH }),
  symbol: Type.Optional(Type.String()),
  user: Type.Optional(Type.String({
    minLength: 1, maxLength: 128, description: 'the owner of a private topic'
  })),
  data: Type.Unknown({ description: "fits the channel's schema" }),
  snapshot: Type.Optional(Type.Boolean({ description: "replaces the topic's state" })),
  idempotency_key: Type.Optional(Type.String({
    minLength: 1,
    maxLength: 128,
    description: 'if the key is repeated within ten minutes, nothing is appended again'
  }))
}, { additionalProperties: false })
export type PublishItem = Static<typeof PublishItem>

export const PublishAnswer = Type.Object({
  accepted: Type.Integer({ minimum: 0 }),
  rejected: Type.Array(Type.Object({
    index: Type.Integer({ minimum: 0 }), code: Code, message: Type.String()
  })),
  sequences: Type.Array(Type.Union([Type.Integer(), Type.Null()]), {
    description: 'one for each message, in its place; null if it was rejected'
  })
})
export type PublishAnswer = Static<typeof PublishAnswer>
