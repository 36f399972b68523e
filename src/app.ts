import type { Socket } from 'node:net'
import { ProtocolError } from '@tickwire/protocol'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import { errors, sendError } from '../plugins/errors.js'
import { unusedConnections } from '../plugins/unused-connections.js'
import { routeGroups, type RouteGroup } from '../routes/index.js'
import type { Config } from './config.js'
import { errorMessage } from './errors.js'
import type { Log } from './log/log.js'
import { tickwire } from './tickwire.js'

/** What a test may give instead of what the configuration would make. */
export interface Parts {
  readonly log?: Log
}

/** The whole server, ready to listen. Never listens itself. */
export async function buildApp (config: Config, { log }: Parts = {}): Promise<FastifyInstance> {
  const app = Fastify({
    logger: { level: config.LOG_LEVEL, serializers: { req: request => ({ method: request.method, path: request.url.split('?', 1)[0], ip: request.ip }) } },
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: config.TRUST_PROXY,
    forceCloseConnections: 'idle',
    clientErrorHandler: refuseUnreadable,
    // A URL that no route can be looked up by; Fastify's own answer would repeat it.
    frameworkErrors: (_error, _request, reply) => { void sendError(reply, new ProtocolError('bad_request', 'this is not a URL that can be read')) }
  })
  await app.register(errors, { notFound: true })
  await app.register(unusedConnections)
  await app.register(tickwire, {
    routes: Object.keys(routeGroups) as RouteGroup[], sources: config.SOURCES, settings: config, ...(log === undefined ? {} : { log })
  })
  return app
}

/** What Node's parser refuses never reaches a route: a URL or headers that are too long, or no HTTP at all. */
function refuseUnreadable (error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const tooBig = error.code === 'HPE_HEADER_OVERFLOW'
  const body = JSON.stringify(errorMessage(tooBig
    ? new ProtocolError('message_too_big', 'the URL and headers are longer than this server takes')
    : new ProtocolError('bad_request', 'this is not HTTP that can be read')))
  const status = tooBig ? '413 Payload Too Large' : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`)
}
