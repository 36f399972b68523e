import { ProtocolError } from '@tickwire/protocol'
import Fastify, {
  type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController
} from 'fastify'
import { certificate } from '../plugins/certificate.js'
import { errors, sendError } from '../plugins/errors.js'
import { LOCALHOST, localhost } from '../plugins/localhost.js'
import { slowReaders } from '../plugins/slow-readers.js'
import { socketLimit } from '../plugins/socket-limit.js'
import { sockets } from '../plugins/sockets.js'
import { routeGroups, type RouteGroup } from '../routes/index.js'
import { type Config, streamingSettings } from './config.js'
import { type ErrorFields, errorFields } from './errors.js'
import { readInstruments } from './instruments/file.js'
import type { Log } from './log/log.js'
import type { Coordination } from './coordination/coordination.js'
import { tickwire, type TickwireOptions } from './tickwire.js'
import { barsOf, barsProcessor } from './processors/bars/bars.js'
import { keyPairFiles, readKeyPair, tlsOptions } from './tls.js'
import { HEAD_TIMEOUT_MS, refuseUnreadable, REQUEST_TIMEOUT_MS } from './unreadable.js'
import type { Workers } from './workers/seat.js'

/** How long a client may take for the TLS handshake. */
const TLS_HANDSHAKE_MS = 10_000

/** Options for the constructor of Node's server, HTTP or HTTPS. Node checks its timeouts at the interval. */
const SERVER_TIMES = { headersTimeout: HEAD_TIMEOUT_MS, connectionsCheckingInterval: 1000 }
/**
 * How long the server keeps an idle connection. If a proxy kept its connections for longer, it could send a
 * request over one that the server has just closed.
 */
const KEEP_ALIVE_MS = 72_000
/**
 * How long a start may take. It takes a second, but a machine may hold the process up for longer than the ten
 * seconds that Fastify allows.
 */
const START_TIMEOUT_MS = 60_000
/**
 * Connections that one address may have, as a multiple of those that may carry a stream. The others carry
 * single requests, or nothing yet.
 */
const SOCKETS_PER_STREAM = 2

declare module 'fastify' {
  interface FastifyInstance {
    /** What this process has by the first one; undefined if it is none of several workers. */
    workers?: Workers | undefined
  }
}

/**
 * What the configuration does not contain, and parts that a test gives instead of those that the server
 * makes.
 */
export interface Parts {
  /** Shows an operator the path of a link to the page, which contains a one-time code. */
  readonly adminLink?: (path: string) => void
  /** What this process has by the first one, if it is one of several workers. */
  readonly workers?: Workers
  readonly log?: Log
  readonly coordination?: Coordination
  readonly channels?: NonNullable<TickwireOptions['channels']>
  readonly processors?: NonNullable<TickwireOptions['processors']>
  readonly broker?: NonNullable<TickwireOptions['broker']>
  /** Receives the lines of the server's log; default: the standard output. */
  readonly lines?: { write (line: string): void }
}

/** Makes the whole server, ready to listen; it does not listen itself. @throws ConfigError */
export async function buildApp (
  config: Config, { lines, workers, processors = [], ...parts }: Parts = {}
): Promise<FastifyInstance> {
  const files = keyPairFiles(config)
  const pair = files === undefined ? undefined : await readKeyPair(files)
  const instruments = config.INSTRUMENTS === undefined ? [] : await readInstruments(config.INSTRUMENTS)
  const app = Fastify({
    logger: loggerOptions(config, lines),
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: trustedProxies(config.TRUST_PROXY),
    forceCloseConnections: 'idle',
    pluginTimeout: START_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // A closing server goes on answering: the table of errors says what the stream refuses then.
    return503OnClosing: false,
    clientErrorHandler: refuseUnreadable,
    // Fastify refuses such a request before it knows the route; its own answer would repeat the URL.
    frameworkErrors: (_error, request, reply) => {
      // Fastify runs no hooks for this answer, so a connection that asked for an upgrade would stay open.
      reply.raw.once('finish', () => { request.raw.socket.destroySoon() })
      const refusal = new ProtocolError('bad_request', 'the server cannot read the URL')
      sendError(reply.header('Connection', 'close'), refusal)
    },
    ...(pair === undefined
      ? { http: SERVER_TIMES }
      : {
          https: { ...SERVER_TIMES, ...tlsOptions(pair), handshakeTimeout: TLS_HANDSHAKE_MS, noDelay: true }
        })
  }) as unknown as FastifyInstance
  if (workers !== undefined) app.decorate('workers', workers)
  await app.register(errors, { notFound: true })
  // Behind a proxy, all connections come from the proxy's address.
  if (config.TRUST_PROXY === false) {
    await app.register(socketLimit, { maxPerAddress: SOCKETS_PER_STREAM * config.MAX_CONNECTIONS_PER_IP })
  }
  await app.register(sockets, { graceMs: config.SHUTDOWN_GRACE_MS })
  await app.register(slowReaders)
  if (config.HOST === LOCALHOST) await app.register(localhost)
  if (files !== undefined && pair !== undefined) await app.register(certificate, { files, pair })
  const intervals = barsOf(config.BARS)
  const bars = intervals.length === 0
    ? []
    : [barsProcessor(intervals, why => { app.tickwire.parts.counters.ignoreTrade(why) })]
  await app.register(tickwire, {
    routes: Object.keys(routeGroups) as RouteGroup[],
    sources: config.SOURCES,
    instruments,
    processors: [...bars, ...processors],
    settings: streamingSettings(config),
    ...parts
  })
  return app
}

type Lines = NonNullable<Parts['lines']>
const loggerOptions = (
  { LOG_LEVEL: level }: Pick<Config, 'LOG_LEVEL'>, lines?: Lines
): { level: Config['LOG_LEVEL'], serializers: typeof serializers, stream?: Lines } =>
  ({ level, serializers, ...(lines === undefined ? {} : { stream: lines }) })

/** Makes what writes the log of a process that serves nobody, as {@link buildApp} makes that of a server. */
export const makeLogger = (config: Config): FastifyBaseLogger =>
  Fastify({ logger: loggerOptions(config) }).log

const withoutQuery = (url: string): string => url.split(/[?#]/, 1)[0]!

/**
 * The query of a URL may contain a token, and the fields of an error what a client sent: the log shows
 * neither (ADR 23).
 */
const serializers = {
  req: ({ method, url, ip }: FastifyRequest) => ({ method, path: withoutQuery(url), ip }),
  path: withoutQuery,
  url: withoutQuery,
  err: (error: Error | ErrorFields) => ({ ...(error instanceof Error ? errorFields(error) : error) })
}

/**
 * Fastify takes no number of proxies, because it cannot know whether the peer of a connection is a proxy. An
 * operator who sets a number says that every peer is one.
 */
function trustedProxies (
  trusted: Config['TRUST_PROXY']
): boolean | string | ((address: string, hop: number) => boolean) {
  return typeof trusted === 'number' ? (_address, hop) => hop < trusted : trusted
}
