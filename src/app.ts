import { ProtocolError } from '@tickwire/protocol'
import Fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify'
import { certificate } from '../plugins/certificate.js'
import { errors, sendError } from '../plugins/errors.js'
import { LOCALHOST, localhost } from '../plugins/localhost.js'
import { slowReaders } from '../plugins/slow-readers.js'
import { socketLimit } from '../plugins/socket-limit.js'
import { sockets } from '../plugins/sockets.js'
import { routeGroups, type RouteGroup } from '../routes/index.js'
import { type Config, streamingSettings } from './config.js'
import { type ErrorFields, errorFields } from './errors.js'
import type { Log } from './log/log.js'
import type { Coordination } from './coordination/coordination.js'
import { tickwire, type TickwireOptions } from './tickwire.js'
import { keyPairFiles, readKeyPair, tlsOptions } from './tls.js'
import { HEAD_TIMEOUT_MS, refuseUnreadable, REQUEST_TIMEOUT_MS } from './unreadable.js'

/** How long a client may take for the handshake of TLS. */
const TLS_HANDSHAKE_MS = 10_000

/** What Node's server must be made with, be it of HTTP or HTTPS: the second says how often times are looked after. */
const SERVER_TIMES = { headersTimeout: HEAD_TIMEOUT_MS, connectionsCheckingInterval: 1000 }
/** How long a connection is kept between two requests: longer than proxies keep theirs, or one would ask where nobody is any more. */
const KEEP_ALIVE_MS = 72_000
/** Connections of one address, as a factor of those that may carry a stream: the others carry single requests, or nothing yet. */
const SOCKETS_PER_STREAM = 2

/** What the configuration does not say, and what a test may give instead of what it would make. */
export interface Parts {
  /** Shows an operator the path of a link to the page with a one-time code. */
  readonly adminLink?: (path: string) => void
  readonly log?: Log
  readonly coordination?: Coordination
  readonly channels?: NonNullable<TickwireOptions['channels']>
  readonly processors?: NonNullable<TickwireOptions['processors']>
  /** Where the lines of the server's log go; default: to the standard output. */
  readonly lines?: { write (line: string): void }
}

/** The whole server, ready to listen. Never listens itself. @throws ConfigError */
export async function buildApp (config: Config, { lines, ...parts }: Parts = {}): Promise<FastifyInstance> {
  const files = keyPairFiles(config)
  const pair = files === undefined ? undefined : await readKeyPair(files)
  const app = Fastify({
    logger: { level: config.LOG_LEVEL, serializers, ...(lines === undefined ? {} : { stream: lines }) },
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: trustedProxies(config.TRUST_PROXY),
    forceCloseConnections: 'idle',
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // While it closes it answers as while it goes on: what the stream refuses then is in the table of errors.
    return503OnClosing: false,
    clientErrorHandler: refuseUnreadable,
    // What Fastify refuses before it knows the route; its own answer would repeat the URL.
    frameworkErrors: (_error, request, reply) => {
      // No hook is run for it, so that one that asked for an upgrade would stay.
      reply.raw.once('finish', () => { request.raw.socket.destroySoon() })
      sendError(reply.header('Connection', 'close'), new ProtocolError('bad_request', 'the URL is not one that can be read'))
    },
    ...(pair === undefined ? { http: SERVER_TIMES } : { https: { ...SERVER_TIMES, ...tlsOptions(pair), handshakeTimeout: TLS_HANDSHAKE_MS, noDelay: true } })
  }) as unknown as FastifyInstance
  await app.register(errors, { notFound: true })
  // Behind a proxy all come from its address.
  if (config.TRUST_PROXY === false) await app.register(socketLimit, { maxPerAddress: SOCKETS_PER_STREAM * config.MAX_CONNECTIONS_PER_IP })
  await app.register(sockets, { graceMs: config.SHUTDOWN_GRACE_MS })
  await app.register(slowReaders)
  if (config.HOST === LOCALHOST) await app.register(localhost)
  if (files !== undefined && pair !== undefined) await app.register(certificate, { files, pair })
  await app.register(tickwire, {
    routes: Object.keys(routeGroups) as RouteGroup[],
    sources: config.SOURCES,
    settings: streamingSettings(config),
    ...parts
  })
  return app
}

const withoutQuery = (url: string): string => url.split(/[?#]/, 1)[0]!

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
