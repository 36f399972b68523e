import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { errorTable, ProtocolError } from '@tickwire/protocol'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import { errors } from '../plugins/errors.js'
import { socketLimit } from '../plugins/socket-limit.js'
import { unusedConnections } from '../plugins/unused-connections.js'
import { routeGroups, type RouteGroup } from '../routes/index.js'
import type { Config } from './config.js'
import { errorMessage, retryAfterMs } from './errors.js'
import type { Log } from './log/log.js'
import { tickwire } from './tickwire.js'

/** How long a client may take over the head of a request, and over all of it, a body of 8 MiB too. */
const HEAD_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
/** What Node's server must be made with, be it of HTTP or HTTPS; the last is how often both times are looked after. */
const SERVER_TIMES = { headersTimeout: HEAD_TIMEOUT_MS, connectionsCheckingInterval: 1000 }
/** How long a connection is kept between two requests: longer than proxies keep theirs, or one would ask where nobody is any more. */
const KEEP_ALIVE_MS = 72_000
/** How long a peer may take to read why it is not heard. */
const LINGER_MS = 1000
/** Connections of one address, as a factor of those that may carry a stream: the others carry single requests, or nothing yet. */
const SOCKETS_PER_STREAM = 2

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
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: SERVER_TIMES,
    clientErrorHandler: refuseUnreadable
  })
  await app.register(errors, { notFound: true })
  await app.register(unusedConnections)
  // Behind a proxy all come from its address.
  if (!config.TRUST_PROXY) await app.register(socketLimit, { maxPerAddress: SOCKETS_PER_STREAM * config.MAX_CONNECTIONS_PER_IP })
  await app.register(tickwire, {
    routes: Object.keys(routeGroups) as RouteGroup[], sources: config.SOURCES, settings: config, ...(log === undefined ? {} : { log })
  })
  return app
}

type HttpSocket = Socket & {
  /** Node's own: what is being answered on it. */
  readonly _httpMessage?: ServerResponse | null
}

/** What Node itself refuses never reaches a route: a request that comes too slowly, a URL or headers that are too long, or no HTTP at all. */
function refuseUnreadable (error: Error & { code?: string }, socket: HttpSocket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket._httpMessage?.headersSent === true) {
    socket.destroy()
    return
  }
  const refusal = unreadable(error.code)
  const { status } = errorTable[refusal.code]
  const retry = retryAfterMs(refusal)
  const body = JSON.stringify(errorMessage(refusal))
  socket.end([
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    ...(retry === undefined ? [] : [`Retry-After: ${Math.ceil(retry / 1000)}`]),
    'Connection: close',
    '',
    body
  ].join('\r\n'))
  // Node looks after it no longer, and the peer may never close.
  setTimeout(() => { socket.destroy() }, LINGER_MS).unref()
}

function unreadable (code: string | undefined): ProtocolError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ProtocolError('idle_timeout', `a request must come within ${REQUEST_TIMEOUT_MS / 1000} seconds, its headers within ${HEAD_TIMEOUT_MS / 1000}`)
    case 'HPE_HEADER_OVERFLOW': return new ProtocolError('message_too_big', 'the URL and headers are longer than this server takes')
    default: return new ProtocolError('bad_request', 'this is not HTTP that can be read')
  }
}
