import { Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ADMIN_SECONDS, AdminLinks } from '../../src/auth/admin-links.js'
import { type OriginPolicy, refuseForeignPage } from '../../src/auth/origin.js'
import { refuseAdmin } from '../../src/auth/permissions.js'

const MAX_BODY_BYTES = 1024

const Exchange = Type.Object({ code: Type.String({ maxLength: 128 }) }, { additionalProperties: false })
const exchangeCheck = TypeCompiler.Compile(Exchange)

interface AdminLinkOptions {
  readonly originAllowed: OriginPolicy
  readonly adminLink: (path: string) => void
}

/** How the page comes to a token with `admin`: by the code of a link that the terminal shows (docs/adr/0035). */
export async function adminLinkRoutes (app: FastifyInstance, { originAllowed, adminLink }: AdminLinkOptions): Promise<void> {
  const { events } = app.streaming
  // In the fragment of the URL, which browsers send nowhere: not to this server, not to a proxy, and not as a referrer.
  const links = new AdminLinks(code => { adminLink(`${app.prefix}/#code=${code}`) })
  app.addHook('onListen', async () => { links.offer() })
  const options = { bodyLimit: MAX_BODY_BYTES, schema: { hide: true } }

  // Behind onRequest, where requests are counted, and before a body is read.
  app.addHook('preParsing', async request => { refuseForeignPage(originAllowed, request) })

  async function give (request: FastifyRequest, reply: FastifyReply, user: string): Promise<FastifyReply> {
    events.administered({ transport: 'http', address: request.ip, user }, request.routeOptions.url ?? '', reply.statusCode)
    // The token is for this page alone: a page of another origin must not read it, not even one that ALLOWED_ORIGINS lists.
    return await reply.removeHeader('Access-Control-Allow-Origin').header('Cache-Control', 'no-store')
      .send({ admin_token: app.authenticator.sign({ sub: user, admin: true }, ADMIN_SECONDS), expires_in: ADMIN_SECONDS })
  }

  app.post('/page/admin-token', options, async (request, reply) => {
    if (!exchangeCheck.Check(request.body)) throw new ProtocolError('invalid_message', "the body is an object with 'code'")
    return await give(request, reply, links.exchange(request.body.code))
  })

  // Whoever has a token that came of a link, and only that: no other token lives longer by it.
  app.post('/page/admin-token/renew', options, async (request, reply) => {
    const { user } = await app.authenticator.demand(request, identity => refuseAdmin(identity) ?? (links.knows(identity.user) ? undefined : 'forbidden'))
    links.renew(user!)
    return await give(request, reply, user!)
  })

  app.post('/page/admin-link', options, async (_request, reply) => {
    links.offer()
    return await reply.code(204).send()
  })
}
