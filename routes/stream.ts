import { ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { OriginPolicy } from '../src/auth/origin.js'
import { toProtocolError } from '../src/errors.js'
import { httpTransports, webSocketTransport } from '../src/transports/index.js'
import { streamQueryOf } from '../src/transports/stream-query.js'
import { judgeStreamRequest, type StreamRequest } from '../src/transports/stream-request.js'
import { agreedExtension } from '../src/transports/ws/extensions.js'
import { streamSchema } from './schemas.js'
import { subprotocols } from '../src/transports/ws/websocket-transport.js'

const HANDSHAKE_KEY = /^[+/0-9A-Za-z]{22}==$/
/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

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
    config: { queryCredentials: streamQueryOf },

    async onRequest (request, reply) {
      reply.header('Cache-Control', 'no-store')
      reply.header('Vary', 'Accept, Accept-Encoding, Origin, Authorization')
      // What refuses an upgrade is the last on its connection.
      if (request.ws) reply.header('Connection', 'close')
    },

    async preValidation (request) {
      const transport = request.ws ? webSocketTransport : httpTransports.find(candidate => candidate.matches(request))!
      const { origin, host } = request.headers
      if (request.ws && origin !== undefined && !originAllowed(origin, host)) {
        throw new ProtocolError('forbidden', 'pages of this origin may not connect; the server lists those that may')
      }
      if (request.ws) {
        requireHandshake(request.headers)
        requireKnownSubprotocol(request.headers['sec-websocket-protocol'])
        offerOnly(request, agreedExtension(request.headers['sec-websocket-extensions']))
      }
      const stream = await judgeStreamRequest(context, request, transport.parameters, request.ws)
      // An upgrade that does not come about, as where the client has gone meanwhile, has no connection that would give its place back.
      if (request.ws) {
        const { socket } = request.raw
        if (socket.destroyed) stream.place.release()
        else socket.once('close', stream.place.release)
      }
      judged.set(request, stream)
    },

    // Fastify calls it with the error before the answer to it is made; what an open stream refuses, it counts itself.
    onError: async (request, _reply, error) => {
      const name = request.ws ? webSocketTransport.name : httpTransports.find(candidate => candidate.matches(request))!.name
      app.streaming.counters.transport(name).refuse(toProtocolError(error).code)
    },

    handler: async (request, reply) => {
      const transport = httpTransports.find(candidate => candidate.matches(request))!
      return await transport.serve(judged.get(request)!, request, reply)
    },

    wsHandler: (socket, request) => { webSocketTransport.serve(judged.get(request)!, socket) }
  })
}

/** RFC 6455, 4.2.1: what `ws` would refuse in words of its own, once all else has been judged. */
function requireHandshake ({ upgrade, 'sec-websocket-key': key = '', 'sec-websocket-version': version }: FastifyRequest['headers']): void {
  if (upgrade?.toLowerCase() !== 'websocket') throw new ProtocolError('bad_request', 'the only upgrade here is to websocket')
  if (!HANDSHAKE_KEY.test(key)) throw new ProtocolError('bad_request', 'Sec-WebSocket-Key is 16 bytes in base64')
  if (version !== '13' && version !== '8') throw new ProtocolError('bad_request', 'Sec-WebSocket-Version is 13')
}

function requireKnownSubprotocol (offered: string | undefined): void {
  if (offered === undefined) return
  const names = offered.split(',').map(name => name.trim())
  // RFC 6455, 4.1: each a token, none twice.
  const wellFormed = names.every(name => TOKEN.test(name)) && new Set(names).size === names.length
  if (wellFormed && names.some(name => subprotocols.has(name))) return
  throw new ProtocolError('bad_request', `the subprotocols are: ${[...subprotocols.keys()].join(', ')}`)
}

/** What `ws` finds of what the client offered, and answers. */
function offerOnly ({ raw }: FastifyRequest, extension: string | undefined): void {
  if (extension === undefined) delete raw.headers['sec-websocket-extensions']
  else raw.headers['sec-websocket-extensions'] = extension
}
