import { Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ADMIN_SECONDS, type AdminLinkDesk, AdminLinks } from '../../src/auth/admin-links.js'
import { type OriginPolicy, refuseForeignPage } from '../../src/auth/origin.js'
import { refuseAdmin } from '../../src/auth/permissions.js'

const MAX_BODY_BYTES = 1024

const Exchange = Type.Object({ code: Type.String({ maxLength: 128 }) }, { additionalProperties: false })
const exchangeCheck = TypeCompiler.Compile(Exchange)

interface AdminLinkOptions {
  readonly originAllowed: OriginPolicy
  readonly adminLink: (path: string) => void
}

/** Gives the page a token with `admin`, for the code of a link that the terminal shows (docs/adr/0035). */
export async function adminLinkRoutes (
  app: FastifyInstance, { originAllowed, adminLink }: AdminLinkOptions
): Promise<void> {
  const { events } = app.streaming
  // The code is in the fragment of the URL, which browsers send nowhere: not to this server, not to a proxy,
  // not as a referrer.
  const own = new AdminLinks(code => { adminLink(`${app.prefix}/#code=${code}`) })
  // Of several workers each serves the links of all, which the first process shows.
  const links: AdminLinkDesk = app.workers?.adminLinks ?? own
  if (links === own) app.addHook('onListen', async () => { own.offer() })
  const options = { bodyLimit: MAX_BODY_BYTES, schema: { hide: true } }

  // After onRequest, which counts the request, and before the server reads a body.
  app.addHook('preParsing', async request => { refuseForeignPage(originAllowed, request) })

  async function give (request: FastifyRequest, reply: FastifyReply, user: string): Promise<FastifyReply> {
    const party = { transport: 'http', address: request.ip, user }
    events.administered(party, request.method, request.routeOptions.url ?? '', reply.statusCode)
    const claims = { sub: user, admin: true, publish: ['*'], trade: true }
    const token = app.authenticator.sign(claims, ADMIN_SECONDS)
    // The token is for this page alone: no page of another origin may read it, even if ALLOWED_ORIGINS lists
    // that origin.
    return await reply.removeHeader('Access-Control-Allow-Origin').header('Cache-Control', 'no-store')
      .send({ admin_token: token, expires_in: ADMIN_SECONDS })
  }

  app.post('/page/admin-token', options, async (request, reply) => {
    if (!exchangeCheck.Check(request.body)) {
      throw new ProtocolError('invalid_message', "the body must be an object with 'code'")
    }
    return await give(request, reply, await links.exchange(request.body.code))
  })

  // Renews only tokens that came from a link; it prolongs no other token.
  app.post('/page/admin-token/renew', options, async (request, reply) => {
    const { user } = await app.authenticator.demand(request, refuseAdmin)
    if (user === undefined || !await links.knows(user)) throw new ProtocolError('forbidden')
    await links.renew(user)
    return await give(request, reply, user)
  })

  app.post('/page/admin-link', options, async (_request, reply) => {
    await links.offer()
    return await reply.code(204).send()
  })
}
