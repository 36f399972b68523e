import type { Socket } from 'node:net'
import { ProtocolError } from '@tickwire/protocol'
import Fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify'
import { certificate } from '../plugins/certificate.js'
import { errors, sendError } from '../plugins/errors.js'
import { sockets } from '../plugins/sockets.js'
import { routeGroups, type RouteGroup } from '../routes/index.js'
import type { Config } from './config.js'
import { type ErrorFields, errorFields, errorMessage } from './errors.js'
import type { Log } from './log/log.js'
import { tickwire } from './tickwire.js'
import { keyPairFiles, readKeyPair, tlsOptions } from './tls.js'

/** How long a client may take for the handshake of TLS. */
const TLS_HANDSHAKE_MS = 10_000

/** What a test may give instead of what the configuration would make. */
export interface Parts {
  readonly log?: Log
  /** Where the lines of the server's log go; default: to the standard output. */
  readonly lines?: { write (line: string): void }
}

/** The whole server, ready to listen. Never listens itself. @throws ConfigError */
export async function buildApp (config: Config, { log, lines }: Parts = {}): Promise<FastifyInstance> {
  const files = keyPairFiles(config)
  const pair = files === undefined ? undefined : await readKeyPair(files)
  const app = Fastify({
    logger: { level: config.LOG_LEVEL, serializers, ...(lines === undefined ? {} : { stream: lines }) },
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: trustedProxies(config.TRUST_PROXY),
    forceCloseConnections: 'idle',
    // While it closes it answers as while it goes on: what the stream refuses then is in the table of errors.
    return503OnClosing: false,
    clientErrorHandler: refuseUnreadable,
    // What Fastify refuses before it knows the route; its own answer would repeat the URL.
    frameworkErrors: (_error, request, reply) => {
      // No hook is run for it, so that one that asked for an upgrade would stay.
      reply.raw.once('finish', () => { request.raw.socket.destroySoon() })
      sendError(reply, new ProtocolError('bad_request', 'the URL is not one that can be read'))
    },
    https: pair === undefined ? null : { ...tlsOptions(pair), handshakeTimeout: TLS_HANDSHAKE_MS, noDelay: true }
  }) as unknown as FastifyInstance
  await app.register(errors, { notFound: true })
  await app.register(sockets, { graceMs: config.SHUTDOWN_GRACE_MS })
  if (files !== undefined && pair !== undefined) await app.register(certificate, { files, pair })
  await app.register(tickwire, {
    routes: Object.keys(routeGroups) as RouteGroup[], sources: config.SOURCES, settings: config, ...(log === undefined ? {} : { log })
  })
  return app
}

const withoutQuery = (url: string): string => url.split('?', 1)[0]!

/** A token may stand in a query, and what a client sent in the fields of an error: neither is logged, whoever logs it (ADR 23). */
const serializers = {
  req: ({ method, url, ip }: FastifyRequest) => ({ method, path: withoutQuery(url), ip }),
  path: withoutQuery,
  url: withoutQuery,
  err: (error: Error | ErrorFields) => ({ ...(error instanceof Error ? errorFields(error) : error) })
}

/** Fastify takes no number: it cannot know whether one who connects is a proxy. Who gives one says that all who do are. */
function trustedProxies (trusted: Config['TRUST_PROXY']): boolean | string | ((address: string, hop: number) => boolean) {
  return typeof trusted === 'number' ? (_address, hop) => hop < trusted : trusted
}

/** What Node's parser refuses never reaches a route: a URL or headers that are too long, or no HTTP at all. */
function refuseUnreadable (error: Error & { code?: string }, socket: Socket): void {
  // Over TLS a handshake that failed comes here, too, and nothing could be said to it.
  if (!/^(?:HPE|ERR_HTTP)_/.test(error.code ?? '') || !socket.writable) {
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
