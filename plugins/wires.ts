import cors from '@fastify/cors'
import websocket from '@fastify/websocket'
import fp from 'fastify-plugin'
import { FastifySSEPlugin } from 'fastify-sse-v2'
import type { OriginPolicy } from '../src/auth/origin.js'
import { subprotocols } from '../src/transports/ws/websocket-transport.js'

export interface WiresOptions {
  readonly originAllowed: OriginPolicy
  readonly maxMessageBytes: number
}

/** The libraries under the transports, with the bounds that they need. */
export const wires = fp<WiresOptions>(async (app, { originAllowed, maxMessageBytes }) => {
  await app.register(cors, {
    delegator: (request, callback) => {
      const { origin, host } = request.headers
      callback(null, {
        origin: origin !== undefined && originAllowed(origin, host) ? origin : false,
        methods: ['GET', 'POST'],
        allowedHeaders: ['Authorization', 'Content-Type', 'Last-Event-ID', 'X-Request-Id'],
        exposedHeaders: ['Retry-After', 'X-Request-Id']
      })
    }
  })
  await app.register(FastifySSEPlugin, { retryDelay: false })
  await app.register(websocket, {
    options: {
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
      // Frames are shared and written past ws: nothing is to be tracked per client.
      clientTracking: false,
      handleProtocols: offered => [...offered].find(protocol => subprotocols.has(protocol)) ?? false
    },
    // Connections end with the streaming plugin's preClose, each with its own reason.
    preClose: done => { done() },
    errorHandler: (error, _socket, request) => { request.log.debug({ err: error }, 'a WebSocket failed') }
  })
}, { name: 'tickwire-wires', fastify: '5.x' })
