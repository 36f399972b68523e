import { parseParameters, ProtocolError, searchOf } from '@tickwire/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { bearerToken } from '../src/auth/bearer.js'
import { type CookieScope, endedCookie, makeCookie } from '../src/auth/cookie.js'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import { refuseAnonymous } from '../src/auth/permissions.js'
import { TICKET_SECONDS } from '../src/auth/tickets.js'
import { answerOptions } from './options.js'
import { cookieEndSchema, ticketSchema } from './schemas.js'

/**
 * `/api/ws/token`: a ticket or cookie for a page that cannot send its token in a header, and the end of the
 * cookie.
 */
export async function ticketRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const scopeOf = (request: FastifyRequest): CookieScope =>
    ({ path: `${app.prefix}/v1/stream`, secure: request.protocol === 'https' })

  app.get('/api/ws/token', { schema: ticketSchema, exposeHeadRoute: false }, async (request, reply) => {
    const cookie = parseParameters(searchOf(request.url), ['cookie']).get('cookie')?.[0]
    if (cookie !== undefined && cookie !== '1') throw new ProtocolError('bad_request', "'cookie' must be 1")
    const identity = await app.authenticator.demand(request, refuseAnonymous)
    reply.header('Cache-Control', 'no-store').header('Vary', 'Origin, Authorization')
    if (cookie === '1') {
      const token = bearerToken(request.headers.authorization ?? '')
      reply.header('Set-Cookie', makeCookie(token, scopeOf(request), identity.expiresAt ?? 0))
    }
    const ticket = await app.authenticator.tickets.issue(identity)
    return await reply.send({ ticket, expires_in: TICKET_SECONDS })
  })

  answerOptions(app, '/api/ws/token', ['GET', 'DELETE'])

  // Open to anybody: a page that logs out may have no token any more, and a browser deletes a cookie only for
  // its own site.
  app.delete('/api/ws/token', { schema: cookieEndSchema }, async (request, reply) => {
    refuseForeignPage(originAllowed, request)
    parseParameters(searchOf(request.url), [])
    reply.header('Cache-Control', 'no-store').header('Set-Cookie', endedCookie(scopeOf(request)))
    return await reply.code(204).send()
  })
}
