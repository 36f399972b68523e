import { parseParameters, type PublicJwk, searchOf } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import { keysSchema } from './schemas.js'

/** How long a client or a proxy may use the keys without asking again, in seconds. */
const MAX_AGE_SECONDS = 300

/** `/v1/keys`: what verifies the messages of `orders`, for anybody. */
export async function keyRoutes (
  app: FastifyInstance, { orderKeys }: { readonly orderKeys: readonly PublicJwk[] }
): Promise<void> {
  const body = { keys: orderKeys }

  app.get('/v1/keys', { schema: keysSchema }, async (request, reply) => {
    parseParameters(searchOf(request.url), [])
    return await reply.header('Cache-Control', `public, max-age=${MAX_AGE_SECONDS}`)
      .type('application/jwk-set+json').send(body)
  })
}
