import { ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import { toProtocolError } from '../src/errors.js'
import { httpTransportOf, transportOf, webSocketTransport } from '../src/transports/index.js'
import { streamQueryOf } from '../src/transports/stream-query.js'
import { judgeStreamRequest, type StreamRequest } from '../src/transports/stream-request.js'
import { prepareHandshake } from './handshake.js'
import { answerOptions } from './options.js'
import { streamSchema } from './schemas.js'
import { subprotocols } from '../src/dialects/dialects.js'

const STREAM = '/v1/stream'

/** A token of HTTP (RFC 9110, 5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** The judged requests, from preValidation to the handler. */
const judged = new WeakMap<FastifyRequest, StreamRequest>()

/** `/v1/stream`: one subscription stream over three transports. */
export async function streamRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const context = app.streaming.stream
  const judge: Omit<RouteOptions, 'method' | 'handler'> = {
    url: STREAM,
    exposeHeadRoute: false,
    config: { queryCredentials: streamQueryOf, transportOf: request => transportOf(request).name },

    async onRequest (request, reply) {
      reply.header('Cache-Control', 'no-store')
      reply.header('Vary', 'Accept, Accept-Encoding, Origin, Authorization')
      // A refused upgrade is the last request on its connection.
      if (request.ws) reply.header('Connection', 'close')
    },

    async preValidation (request) {
      refuseForeignPage(originAllowed, request)
      if (request.ws) {
        requireKnownSubprotocol(request.headers['sec-websocket-protocol'])
        prepareHandshake(request)
      }
      const stream = await judgeStreamRequest(context, request, transportOf(request).parameters, request.ws)
      if (request.method === 'HEAD') stream.slot.release()
      judged.set(request, stream)
    },

    // After everything that may refuse the request, hooks of an application included. Over plain HTTP the
    // transport admits it.
    async preHandler (request) {
      if (request.ws) await judged.get(request)!.admit()
    },

    // Fastify calls this with the error before it answers. An open stream counts its own refusals.
    onError: async (request, _reply, error) => {
      app.streaming.counters.transport(transportOf(request).name).refuse(toProtocolError(error).code)
    }
  }

  app.route({
    ...judge,
    method: 'GET',
    schema: streamSchema,
    handler: async (request, reply) =>
      await httpTransportOf(request).serve(judged.get(request)!, request, reply),
    wsHandler: (socket, request) => { webSocketTransport.serve(judged.get(request)!, socket) }
  })

  app.route({
    ...judge,
    method: 'HEAD',
    schema: { hide: true },
    handler: async (request, reply) =>
      await httpTransportOf(request).head(judged.get(request)!, request, reply)
  })

  answerOptions(app, STREAM, ['GET', 'HEAD'])
}

function requireKnownSubprotocol (offered: string | undefined): void {
  if (offered === undefined) return
  const names = offered.split(',').map(name => name.trim())
  // RFC 6455, 4.1: each name is a token, and none comes twice.
  const wellFormed = names.every(name => TOKEN.test(name)) && new Set(names).size === names.length
  if (wellFormed && names.some(name => subprotocols.includes(name))) return
  throw new ProtocolError('bad_request', `the subprotocols are: ${subprotocols.join(', ')}`)
}
