import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { ProtocolError, standardChannels } from '@tickwire/protocol'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import { auth } from '../plugins/auth.js'
import { errors } from '../plugins/errors.js'
import { streaming } from '../plugins/streaming.js'
import { unusedConnections } from '../plugins/unused-connections.js'
import { wires } from '../plugins/wires.js'
import { adminRoutes } from '../routes/admin.js'
import { healthRoutes } from '../routes/health.js'
import { pageRoutes } from '../routes/page/page.js'
import { publishRoutes } from '../routes/publish.js'
import { streamRoutes } from '../routes/stream.js'
import { topicRoutes } from '../routes/topics.js'
import { originPolicy } from './auth/origin.js'
import type { Config } from './config.js'
import { errorMessage } from './errors.js'
import type { Log } from './log/log.js'
import { MemoryLog } from './log/memory/memory-log.js'
import { parseSources } from './sources/registry.js'

/** Share of the retention's bytes that a node may keep of what it passed on last, beside the log. */
const RECENT_SHARE = 0.25

/** What a test may give instead of what the configuration would make. */
export interface Parts {
  readonly log?: Log
}

/** The whole server, ready to listen. Never listens itself. */
export async function buildApp (config: Config, parts: Parts = {}): Promise<FastifyInstance> {
  const app = Fastify({
    logger: { level: config.LOG_LEVEL, serializers: { req: request => ({ method: request.method, path: request.url.split('?', 1)[0], ip: request.ip }) } },
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: config.TRUST_PROXY,
    forceCloseConnections: 'idle',
    clientErrorHandler: refuseUnreadable
  })
  const secret = config.JWT_SECRET ?? randomBytes(32).toString('base64url')
  if (config.JWT_SECRET === undefined) app.log.warn('JWT_SECRET is not set: tokens are checked with a random secret, so none made elsewhere is valid')
  const originAllowed = originPolicy(config.ALLOWED_ORIGINS)
  const log = parts.log ?? new MemoryLog({
    channels: standardChannels,
    shards: config.LOG_SHARDS,
    retention: { messages: config.RETENTION_MESSAGES, seconds: config.RETENTION_SECONDS, bytes: config.RETENTION_BYTES },
    maxTopics: config.MAX_TOPICS
  })

  await app.register(errors)
  await app.register(unusedConnections)
  await app.register(auth, { secret, issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE })
  await app.register(wires, { originAllowed, maxMessageBytes: config.MAX_MESSAGE_BYTES })
  await app.register(streaming, {
    log,
    channels: standardChannels,
    sources: parseSources(config.SOURCES),
    flushMs: config.FLUSH_MS,
    recentBytes: config.RETENTION_BYTES * RECENT_SHARE,
    heartbeatMs: config.HEARTBEAT_MS,
    idleTimeoutMs: config.IDLE_TIMEOUT_MS,
    maxConnections: config.MAX_CONNECTIONS,
    maxConnectionsPerIp: config.MAX_CONNECTIONS_PER_IP,
    maxSubscriptions: config.MAX_SUBSCRIPTIONS,
    maxBufferedBytes: config.MAX_BUFFERED_BYTES,
    authenticationRequired: config.AUTH === 'required',
    acceptUnknownSymbols: config.UNKNOWN_SYMBOLS === 'accept'
  })
  await app.register(streamRoutes, { originAllowed })
  await app.register(publishRoutes, { maxMessageBytes: config.MAX_MESSAGE_BYTES })
  await app.register(topicRoutes)
  await app.register(healthRoutes)
  await app.register(adminRoutes)
  await app.register(pageRoutes, { development: config.NODE_ENV !== 'production' })
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
