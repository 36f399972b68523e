import { clientActions, isServed, PublishItem } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'

/**
 * `GET /page/schemas.json`: what a client may send, and what it may subscribe to, as JSON Schema. The console
 * completes and checks by it, also for the channels of an application.
 */
export async function schemaRoutes (app: FastifyInstance): Promise<void> {
  const { publish, ...others } = clientActions
  // The server checks each message of a batch by itself; a reader of the schema wants to see what it is.
  const messages = { ...publish.properties.messages, items: PublishItem }
  const actions = { ...others, publish: { ...publish, properties: { ...publish.properties, messages } } }
  const channels = [...app.streaming.channels.values()].filter(isServed).map(channel => ({
    name: channel.name,
    description: channel.description,
    keyed: channel.keyed,
    access: channel.access,
    throttle: channel.merge !== undefined,
    depth: channel.levels !== undefined,
    data: channel.schema
  }))
  const text = JSON.stringify({ actions, channels })
  app.get('/page/schemas.json', { exposeHeadRoute: false, schema: { hide: true } }, async (_request, reply) =>
    await reply.header('Cache-Control', 'no-cache').type('application/json; charset=utf-8').send(text))
}
