import { TypeCompiler } from '@sinclair/typebox/compiler'
import { parseParameters, ProtocolError, searchOf } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import { refuseAdmin } from '../src/auth/permissions.js'
import { adminMonitorRoutes } from './admin-monitor.js'
import { adminSymbolRoutes } from './admin-symbols.js'
import { Disconnect, disconnectSchema, nodesSchema, startSourceSchema, stopSourceSchema } from './schemas.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The parameters that an endpoint for operators takes; absent: none. */
    readonly parameters?: readonly string[]
  }
}

const disconnectCheck = TypeCompiler.Compile(Disconnect)

/** The endpoints for operators; each needs a token with `admin`. */
export async function adminRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const { sources, nodes, disconnect, events } = app.streaming

  // After onRequest, which counts the request, and before the server reads a body.
  app.addHook('preParsing', async request => {
    refuseForeignPage(originAllowed, request)
    await app.authenticator.demand(request, refuseAdmin)
    parseParameters(searchOf(request.url), request.routeOptions.config.parameters ?? [])
  })
  app.addHook('onResponse', async (request, reply) => {
    const user = app.authenticator.userOf(request)
    if (user === undefined) return
    const party = { transport: 'http', address: request.ip, user }
    events.administered(party, request.method, request.routeOptions.url ?? '', reply.statusCode)
  })

  await app.register(adminSymbolRoutes)
  await app.register(adminMonitorRoutes)

  app.get('/v1/admin/nodes', { schema: nodesSchema }, async (_request, reply) =>
    await reply.header('Cache-Control', 'no-store').send(await nodes.overview()))

  type Source = { Params: { name: string } }
  const NO_SOURCE = 'no server has such a source'

  app.post<Source>('/v1/admin/sources/:name/start', { schema: startSourceSchema }, async (request, reply) => {
    if (!await sources.start(request.params.name)) throw new ProtocolError('not_found', NO_SOURCE)
    return await reply.code(204).send()
  })

  app.post<Source>('/v1/admin/sources/:name/stop', { schema: stopSourceSchema }, async (request, reply) => {
    if (!await sources.stop(request.params.name)) throw new ProtocolError('not_found', NO_SOURCE)
    return await reply.code(204).send()
  })

  app.post('/v1/admin/disconnect', { schema: disconnectSchema }, async (request, reply) => {
    const { body } = request
    if (!disconnectCheck.Check(body)) {
      const message = "the body must be an object with either 'connection_id' or 'user_id'"
      throw new ProtocolError('invalid_message', message)
    }
    const address = 'connection_id' in body ? { connectionId: body.connection_id } : { userId: body.user_id }
    const found = await disconnect(address)
    if (!found) throw new ProtocolError('not_found', 'no server has such a connection')
    return await reply.code(204).send()
  })
}
