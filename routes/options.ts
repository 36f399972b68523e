import { ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import { isPreflight } from '../src/auth/origin.js'

/** `OPTIONS` at a URL: which methods there are. A preflight of CORS that may be granted has been answered before. */
export function answerOptions (app: FastifyInstance, url: string, methods: readonly string[]): void {
  app.options(url, { schema: { hide: true }, config: { rateLimit: false } }, async (request, reply) => {
    if (isPreflight(request.headers)) throw new ProtocolError('not_found')
    return await reply.code(204).header('Allow', [...methods, 'OPTIONS'].join(', ')).header('Cache-Control', 'no-store').send()
  })
}
