import { ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import { isPreflight } from '../src/auth/origin.js'

/**
 * Answers `OPTIONS` at a URL with its methods. The CORS plugin has answered a preflight that it permits
 * before.
 */
export function answerOptions (app: FastifyInstance, url: string, methods: readonly string[]): void {
  app.options(url, { schema: { hide: true }, config: { rateLimit: false } }, async (request, reply) => {
    if (isPreflight(request.headers)) throw new ProtocolError('not_found')
    const allowed = [...methods, 'OPTIONS'].join(', ')
    return await reply.code(204).header('Allow', allowed).header('Cache-Control', 'no-store').send()
  })
}
