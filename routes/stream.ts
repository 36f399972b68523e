import { ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import { toProtocolError } from '../src/errors.js'
import { httpTransportOf, transportOf, webSocketTransport } from '../src/transports/index.js'
import { judgeStreamRequest, type StreamRequest } from '../src/transports/stream-request.js'
import { agreedExtension } from '../src/transports/ws/extensions.js'
import { streamSchema } from './schemas.js'
import { subprotocols } from '../src/transports/ws/websocket-transport.js'

/** What has been judged of a request before its handler runs. */
const judged = new WeakMap<FastifyRequest, StreamRequest>()

/** `GET /v1/stream`: one subscription stream over three transports. */
export async function streamRoutes (app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }): Promise<void> {
  const context = app.streaming.stream
  app.route({
    method: 'GET',
    url: '/v1/stream',
    schema: streamSchema,
    exposeHeadRoute: false,
    config: { transportOf: request => transportOf(request).name },

    async preValidation (request, reply) {
      reply.header('Cache-Control', 'no-store')
      reply.header('Vary', 'Accept, Accept-Encoding, Origin, Authorization')
      refuseForeignPage(originAllowed, request)
      if (request.ws) {
        requireKnownSubprotocol(request.headers['sec-websocket-protocol'])
        offerOnly(request, agreedExtension(request.headers['sec-websocket-extensions']))
      }
      judged.set(request, await judgeStreamRequest(context, request, transportOf(request).parameters, request.ws))
    },

    // Fastify calls it with the error before the answer to it is made; what an open stream refuses, it counts itself.
    onError: async (request, _reply, error) => {
      app.streaming.counters.transport(transportOf(request).name).refuse(toProtocolError(error).code)
    },

    handler: async (request, reply) => await httpTransportOf(request).serve(judged.get(request)!, request, reply),

    wsHandler: (socket, request) => { webSocketTransport.serve(judged.get(request)!, socket) }
  })
}

function requireKnownSubprotocol (offered: string | undefined): void {
  if (offered === undefined || offered.split(',').some(name => subprotocols.has(name.trim()))) return
  throw new ProtocolError('bad_request', `the subprotocols are: ${[...subprotocols.keys()].join(', ')}`)
}

/** What `ws` finds of what the client offered, and answers. */
function offerOnly ({ raw }: FastifyRequest, extension: string | undefined): void {
  if (extension === undefined) delete raw.headers['sec-websocket-extensions']
  else raw.headers['sec-websocket-extensions'] = extension
}
