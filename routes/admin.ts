import { TypeCompiler } from '@sinclair/typebox/compiler'
import { parseParameters, ProtocolError, searchOf } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import { refuseAdmin } from '../src/auth/permissions.js'
import { Disconnect, disconnectSchema, nodesSchema, startSourceSchema, stopSourceSchema } from './schemas.js'

const disconnectCheck = TypeCompiler.Compile(Disconnect)

/** What an operator may do; each needs a token with `admin`. */
export async function adminRoutes (app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }): Promise<void> {
  const { sources, nodes, disconnect, events } = app.streaming

  // Behind onRequest, where requests are counted, and before a body is read.
  app.addHook('preParsing', async request => {
    refuseForeignPage(originAllowed, request)
    await app.authenticator.demand(request, refuseAdmin)
    parseParameters(searchOf(request.url), [])
  })
  app.addHook('onResponse', async (request, reply) => {
    const user = app.authenticator.userOf(request)
    if (user !== undefined) events.administered({ transport: 'http', address: request.ip, user }, request.routeOptions.url ?? '', reply.statusCode)
  })

  app.get('/v1/admin/nodes', { schema: nodesSchema }, async (_request, reply) => await reply.header('Cache-Control', 'no-store').send(await nodes.overview()))

  app.post<{ Params: { name: string } }>('/v1/admin/sources/:name/start', { schema: startSourceSchema }, async (request, reply) => {
    if (!await sources.start(request.params.name)) throw new ProtocolError('not_found', 'no server has such a source')
    return await reply.code(204).send()
  })

  app.post<{ Params: { name: string } }>('/v1/admin/sources/:name/stop', { schema: stopSourceSchema }, async (request, reply) => {
    if (!await sources.stop(request.params.name)) throw new ProtocolError('not_found', 'no server has such a source')
    return await reply.code(204).send()
  })

  app.post('/v1/admin/disconnect', { schema: disconnectSchema }, async (request, reply) => {
    if (!disconnectCheck.Check(request.body)) throw new ProtocolError('invalid_message', "the body is an object with either 'connection_id' or 'user_id'")
    const body = request.body
    const found = await disconnect('connection_id' in body ? { connectionId: body.connection_id } : { userId: body.user_id })
    if (!found) throw new ProtocolError('not_found', 'no server has such a connection')
    return await reply.code(204).send()
  })
}
