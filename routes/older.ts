import { parseParameters, ProtocolError, searchOf } from '@tickwire/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { Identity } from '../src/auth/identity.js'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import { refuseAdmin } from '../src/auth/permissions.js'
import { toProtocolError } from '../src/errors.js'
import { OlderEndpoints } from '../src/older/endpoints.js'
import { webSocketTransport } from '../src/transports/index.js'
import { streamQueryOf } from '../src/transports/stream-query.js'
import { judgeStreamRequest, type StreamRequest } from '../src/transports/stream-request.js'
import { prepareHandshake } from './handshake.js'
import { channelsSchema, heatmapSocketSchema, htsSchema, statsSchema, statusSchema } from './older-schemas.js'
import { answerOptions } from './options.js'

/** An endpoint that speaks WebSocket and nothing else. */
interface SocketEndpoint {
  readonly url: string
  readonly schema: object
  /** @throws ProtocolError why the endpoint takes nobody */
  requireOpen? (): void
  /** Must be called in the tick of the upgrade. */
  serve (request: StreamRequest, socket: WebSocket): void
}

/** The credentials of older clients are in the query: they have no other parameters. */
const CREDENTIALS = ['token', 'ticket']

/** The endpoints for clients that were written against older servers (docs/compat.md). */
export async function olderRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const { stream, tradingReader, channels } = app.streaming
  const older = new OlderEndpoints(stream, user => tradingReader.account(user))
  const judged = new WeakMap<FastifyRequest, StreamRequest>()

  /** @throws ProtocolError `unauthorized` */
  async function identify (request: FastifyRequest): Promise<Identity> {
    const identity = await stream.identify(request)
    if (!stream.authenticationRequired || identity.user !== undefined) return identity
    throw new ProtocolError('unauthorized')
  }

  function serveSocket ({ url, schema, requireOpen, serve }: SocketEndpoint): void {
    app.route({
      method: 'GET',
      url,
      schema,
      exposeHeadRoute: false,
      config: { queryCredentials: streamQueryOf, transportOf: () => webSocketTransport.name },

      async onRequest (request, reply) {
        reply.header('Cache-Control', 'no-store').header('Vary', 'Origin, Authorization')
        // A refused upgrade is the last request on its connection.
        if (request.ws) reply.header('Connection', 'close')
      },

      async preValidation (request) {
        refuseForeignPage(originAllowed, request)
        if (!request.ws) throw new ProtocolError('bad_request', 'this endpoint speaks WebSocket alone')
        if (request.headers['sec-websocket-protocol'] !== undefined) {
          throw new ProtocolError('bad_request', 'this endpoint has no subprotocols')
        }
        prepareHandshake(request)
        parseParameters(searchOf(request.url), CREDENTIALS)
        requireOpen?.()
        await identify(request)
        judged.set(request, await judgeStreamRequest(stream, request, [], true))
      },

      // After everything that may refuse the request.
      async preHandler (request) {
        await judged.get(request)!.admit()
      },

      onError: async (_request, _reply, error) => {
        app.streaming.counters.transport(webSocketTransport.name).refuse(toProtocolError(error).code)
      },

      handler: () => { throw new ProtocolError('not_found') },
      wsHandler: (socket, request) => { serve(judged.get(request)!, socket) }
    })
    answerOptions(app, url, ['GET'])
  }

  serveSocket({
    url: '/api/ws', schema: htsSchema, serve: (request, socket) => { older.serveHts(request, socket) }
  })
  serveSocket({
    url: '/ws/heatmap',
    schema: heatmapSocketSchema,
    requireOpen: () => { older.requireHeatmaps() },
    serve: (request, socket) => { older.serveHeatmap(request, socket) }
  })

  /** Judges a request for figures. @throws ProtocolError */
  async function judge (request: FastifyRequest, reply: FastifyReply): Promise<Identity> {
    refuseForeignPage(originAllowed, request)
    parseParameters(searchOf(request.url), [])
    reply.header('Cache-Control', 'no-store').header('Vary', 'Origin, Authorization')
    return await identify(request)
  }

  app.get('/api/ws/status', { schema: statusSchema }, async (request, reply) => {
    const identity = await judge(request, reply)
    return await reply.send(older.status(refuseAdmin(identity) === undefined))
  })
  app.get('/api/ws/channels', { schema: channelsSchema }, async (request, reply) => {
    await judge(request, reply)
    return await reply.send({ channels: older.channels(channels) })
  })
  app.get('/ws/stats', { schema: statsSchema }, async (request, reply) => {
    await judge(request, reply)
    return await reply.send(older.stats())
  })
}
