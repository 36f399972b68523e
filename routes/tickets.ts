import { parseParameters, ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import { bearerToken } from '../src/auth/bearer.js'
import { makeCookie } from '../src/auth/cookie.js'
import { TICKET_SECONDS } from '../src/auth/tickets.js'
import { ticketSchema } from './schemas.js'

/** `GET /api/ws/token`: what a page connects with that cannot send its token in a header. */
export async function ticketRoutes (app: FastifyInstance): Promise<void> {
  const path = `${app.prefix}/v1/stream`

  app.get('/api/ws/token', { schema: ticketSchema, exposeHeadRoute: false }, async (request, reply) => {
    const cookie = parseParameters(request.url.split('?', 2)[1] ?? '', ['cookie']).get('cookie')?.[0]
    if (cookie !== undefined && cookie !== '1') throw new ProtocolError('bad_request', "'cookie' is 1")
    const identity = await app.authenticator.demand(request, ({ user }) => user === undefined ? 'unauthorized' : undefined)
    reply.header('Cache-Control', 'no-store').header('Vary', 'Origin, Authorization')
    if (cookie === '1') {
      const token = bearerToken(request.headers.authorization ?? '')
      reply.header('Set-Cookie', makeCookie(token, { path, secure: request.protocol === 'https', endsAt: identity.expiresAt ?? 0 }))
    }
    return await reply.send({ ticket: await app.authenticator.tickets.issue(identity), expires_in: TICKET_SECONDS })
  })
}
