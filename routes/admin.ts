import { ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import { refuseAdmin } from '../src/auth/permissions.js'

/** What an operator may do; each needs a token with `admin`. */
export async function adminRoutes (app: FastifyInstance): Promise<void> {
  const { sources } = app.tickwire

  app.addHook('onRequest', async request => { await app.authenticator.demand(request, refuseAdmin) })

  app.post<{ Params: { name: string } }>('/v1/admin/sources/:name/start', async (request, reply) => {
    if (await sources.start(request.params.name) === 'unknown') throw new ProtocolError('not_found', 'there is no such source')
    return await reply.code(204).send()
  })

  app.post<{ Params: { name: string } }>('/v1/admin/sources/:name/stop', async (request, reply) => {
    if (await sources.stop(request.params.name) === 'unknown') throw new ProtocolError('not_found', 'there is no such source')
    return await reply.code(204).send()
  })
}
