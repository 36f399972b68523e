import cors from '@fastify/cors'
import websocket from '@fastify/websocket'
import fp from 'fastify-plugin'
import { FastifySSEPlugin } from 'fastify-sse-v2'
import { ProtocolError } from '@tickwire/protocol'
import { allowedOrigin, isListed, isPreflight, type OriginPolicy } from '../src/auth/origin.js'
import { errorFields } from '../src/errors.js'
import { perMessageDeflate } from '../src/transports/ws/extensions.js'
import { handshakesOf } from '../src/transports/ws/handshakes.js'
import { subprotocols } from '../src/dialects/dialects.js'

export interface WiresOptions {
  readonly originAllowed: OriginPolicy
  /** The origins whose pages may come with the cookie. */
  readonly listedOrigins: ReadonlySet<string>
  readonly maxMessageBytes: number
  readonly compression: boolean
}

/**
 * The libraries under the transports, with the bounds that they need. What an application that we are part of has
 * registered for all its routes is left as it is.
 */
export const wires = fp<WiresOptions>(async (app, { originAllowed, listedOrigins, maxMessageBytes, compression }) => {
  if (!app.hasPlugin('@fastify/cors')) {
    await app.register(cors, {
      delegator: (request, callback) => {
        callback(null, {
          origin: allowedOrigin(originAllowed, request) ?? false,
          // An EventSource of another origin needs it to come with its cookie.
          credentials: isListed(listedOrigins, request.headers.origin),
          // Any other OPTIONS is for the route.
          preflight: isPreflight(request.headers),
          methods: ['GET', 'POST', 'DELETE'],
          allowedHeaders: ['Authorization', 'Content-Type', 'Last-Event-ID', 'X-Request-Id'],
          exposedHeaders: ['Retry-After', 'X-Request-Id']
        })
      }
    })
  }
  if (!app.hasReplyDecorator('sse')) await app.register(FastifySSEPlugin, { retryDelay: false })
  if (app.hasDecorator('websocketServer')) {
    throw new Error('tickwire brings @fastify/websocket with the bounds that it needs: register tickwire first, and your own WebSocket routes behind it without registering @fastify/websocket again')
  }
  await app.register(websocket, {
    options: {
      server: handshakesOf(app.server),
      maxPayload: maxMessageBytes,
      perMessageDeflate: compression ? perMessageDeflate : false,
      handleProtocols: offered => [...offered].find(protocol => subprotocols.includes(protocol)) ?? false
    },
    // Those of the stream end with the streaming plugin, each with its own reason, before this.
    preClose: function (done) {
      for (const client of this.websocketServer.clients) client.close(GOING_AWAY)
      done()
    },
    errorHandler: (error, _socket, request) => { request.log.debug({ err: errorFields(error) }, 'a WebSocket failed') }
  })
  // The library upgrades whatever route is asked for, to say that there is none, with its URL in the log.
  app.addHook('onRequest', async request => {
    if (request.ws && !request.is404 && request.routeOptions.config.transportOf === undefined) throw new ProtocolError('bad_request', 'nothing here is read over WebSocket')
  })
}, { name: 'tickwire-wires', fastify: '5.x' })

const GOING_AWAY = 1001
