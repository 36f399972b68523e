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
  /** The origins whose pages may send the cookie. */
  readonly listedOrigins: ReadonlySet<string>
  readonly maxMessageBytes: number
  readonly compression: boolean
}

/**
 * Registers the libraries under the transports, with the bounds that they need. It leaves alone what an
 * application that uses the plugin has registered for all its routes.
 */
export const wires = fp<WiresOptions>(async (app, options) => {
  const { originAllowed, listedOrigins, maxMessageBytes, compression } = options
  if (!app.hasPlugin('@fastify/cors')) {
    await app.register(cors, {
      delegator: (request, callback) => {
        callback(null, {
          origin: allowedOrigin(originAllowed, request) ?? false,
          // An EventSource of another origin needs this to send its cookie.
          credentials: isListed(listedOrigins, request.headers.origin),
          // The route answers any other OPTIONS.
          preflight: isPreflight(request.headers),
          methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
          allowedHeaders: ['Authorization', 'Content-Type', 'Last-Event-ID', 'X-Request-Id'],
          exposedHeaders: ['Retry-After', 'X-Request-Id']
        })
      }
    })
  }
  if (!app.hasReplyDecorator('sse')) await app.register(FastifySSEPlugin, { retryDelay: false })
  if (app.hasDecorator('websocketServer')) {
    throw new Error('tickwire registers @fastify/websocket with the bounds that it needs: ' +
      'register tickwire first, and then your own WebSocket routes, without @fastify/websocket')
  }
  await app.register(websocket, {
    options: {
      server: handshakesOf(app.server),
      maxPayload: maxMessageBytes,
      perMessageDeflate: compression ? perMessageDeflate : false,
      handleProtocols: offered => [...offered].find(protocol => subprotocols.includes(protocol)) ?? false
    },
    // The streaming plugin has closed the connections of the stream before this, each with a reason of its
    // own.
    preClose: function (done) {
      for (const client of this.websocketServer.clients) client.close(GOING_AWAY)
      done()
    },
    errorHandler: (error, _socket, request) => {
      request.log.debug({ err: errorFields(error) }, 'a WebSocket failed')
    }
  })
  // For a route that takes no upgrade, the library would upgrade only to say so, and log the URL.
  app.addHook('onRequest', async request => {
    if (request.ws && !request.is404 && request.routeOptions.config.transportOf === undefined) {
      throw new ProtocolError('bad_request', 'this endpoint does not speak WebSocket')
    }
  })
}, { name: 'tickwire-wires', fastify: '5.x' })

const GOING_AWAY = 1001
