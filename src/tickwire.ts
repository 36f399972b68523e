import { type ChannelDefinition, channelFault, type Channels, type Instrument, ProtocolError, standardChannels } from '@tickwire/protocol'
import type { Static, TSchema } from '@sinclair/typebox'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { auth, type TokenClaims } from '../plugins/auth.js'
import { errors } from '../plugins/errors.js'
import { jsonBody } from '../plugins/json-body.js'
import { requestRate } from '../plugins/request-rate.js'
import { type Streaming, streaming } from '../plugins/streaming.js'
import { wires } from '../plugins/wires.js'
import { type RouteGroup, routeGroups, type RouteOptions } from '../routes/index.js'
import { faultOfClaims } from './auth/claims.js'
import { openKeys } from './auth/open-keys.js'
import { listedOrigins, originPolicy } from './auth/origin.js'
import { checkKeySettings, ConfigError, isShortSecret, loadSettings, type StreamingSettings } from './config.js'
import { errorFields } from './errors.js'
import { type Log, RECENT_SHARE } from './log/log.js'
import { MemoryLog } from './log/memory/memory-log.js'
import { RedisLog } from './log/redis/redis-log.js'
import { settingNotices } from './notices.js'
import { checkPluginOptions } from './plugin-options.js'
import { checkProcessors } from './processors/check.js'
import { processorSources } from './processors/processor-sources.js'
import type { Processor } from './processors/processor.js'
import type { Publication, PublishResult } from './publisher/publisher.js'
import { parseSources } from './sources/registry.js'
import type { Source } from './sources/source.js'
import { MemoryCoordination } from './coordination/memory/memory-coordination.js'
import { coordinationCommands } from './coordination/redis/keys.js'
import { RedisCoordination } from './coordination/redis/redis-coordination.js'
import type { Coordination } from './coordination/coordination.js'

/** What is served where the options do not say: the stream and what its clients use beside it. */
const DEFAULT_ROUTES: readonly RouteGroup[] = ['stream', 'tickets', 'publish', 'topics']

/** How long a token is good where the application does not say. */
const TOKEN_SECONDS = 3600

/** Names an application's own code as the publisher; no token can have it as its user. */
const OWN_PUBLISHER = ''

/** The settings of the environment variables of the same names (docs/configuration.md) that concern the streaming itself. */
export type TickwireSettings = StreamingSettings

export interface TickwireOptions {
  /** What stands before every path: `/market` makes the stream `/market/v1/stream`. Default: none. */
  readonly prefix?: string
  /** Channels beside the standard ones: see `defineChannel`. */
  readonly channels?: readonly ChannelDefinition[]
  /** Which groups of endpoints are served. Default: `stream`, `tickets`, `publish`, `topics`. */
  readonly routes?: readonly RouteGroup[]
  /** Where messages come from beside `publish`: sources of your own, or a text as in `SOURCES`. Default: nowhere. */
  readonly sources?: readonly Source[] | string
  /** What is computed from messages: each runs on one server at a time, and what it publishes is appended once, whoever takes it over. Default: nothing. */
  readonly processors?: readonly Processor[]
  /** Default: on Redis where `REDIS_URL` is set, else in memory. It is closed with the application. */
  readonly log?: Log
  /** What several servers know together beside the log: tickets, leases, who is there. Default: in memory. It is closed with the application. */
  readonly coordination?: Coordination
  /** Settings that differ from their defaults. Environment variables are not read. */
  readonly settings?: { readonly [Name in keyof TickwireSettings]?: TickwireSettings[Name] | undefined }
  /**
   * Shows the operator a path on this server, once it listens and whenever the page asks for it: with the server's address before it, it is a link
   * that gives one browser a token with `admin`. Show it only where nobody else can read it. Needs the routes `page`; nothing in production.
   * Default: there are no such links.
   */
  readonly adminLink?: (path: string) => void
}

/** A message of a channel, as {@link Tickwire.publish} takes it. */
export interface Message<Data> {
  /** For a channel whose topics have one. */
  readonly symbol?: string
  /** Whose topic it is, for a channel of private topics. */
  readonly user?: string
  readonly data: Data
  /** The message replaces the topic's whole state. */
  readonly snapshot?: boolean
  /** Repeated within ten minutes for its topic, nothing is appended again. */
  readonly idempotencyKey?: string
}

/** What an application has of the streaming in it. */
export interface Tickwire {
  readonly channels: Channels
  /**
   * Validates a message, appends it to the log and so sends it to all its subscribers.
   * @returns its sequence, once the log has it
   * @throws ProtocolError where it does not fit the channel, or the log cannot be reached or is full
   */
  publish<Schema extends TSchema> (channel: ChannelDefinition<Schema>, message: Message<Static<Schema>>): Promise<number>
  /** Many at once, of any channels, in order; each has its answer, and one that is refused stops none of the others. */
  publishAll (publications: readonly Publication[]): Promise<readonly PublishResult[]>
  /**
   * Makes instruments known, so that they may be subscribed to, or moves them between markets and sectors.
   * @throws ProtocolError that names the first that is refused, as one whose market or sector cannot be a set's name; the others stand
   */
  declare (instruments: readonly Instrument[]): Promise<void>
  /**
   * A token for a user of this application: `sub` says who it is, `read`, `publish` and `admin` what it permits (PROTOCOL.md, Credentials).
   * @param seconds how long it is good; default: an hour
   * @throws Error that says what is wrong with them, or that there is no `JWT_SECRET` to sign with
   */
  signToken (claims: TokenClaims, seconds?: number): string
  /** What it is made of: log, hub, connections. Not a stable interface. */
  readonly parts: Streaming
}

declare module 'fastify' {
  interface FastifyInstance {
    tickwire: Tickwire
  }
}

/** Streaming as a part of a Fastify application. It refuses, with a ConfigError, what it does not know. */
export const tickwire = fp<TickwireOptions>(async (app, options) => {
  const order = Object.keys(routeGroups) as RouteGroup[]
  checkPluginOptions({ ...options }, order)
  const { prefix = '', routes = DEFAULT_ROUTES, sources = [], processors = [] } = options
  const settings = loadSettings(options.settings ?? {})
  const channels = allChannels(options.channels ?? [])
  checkProcessors(processors, channels)
  const onError: OnError = (error, message) => { app.log.error({ err: errorFields(error) }, message) }
  const keys = openKeys(settings, onError)
  const [log, coordination] = await openLogAndCoordination(options, settings, channels, onError).catch((error: unknown) => {
    keys.close()
    throw error
  })
  if (checkKeySettings(settings) === undefined) app.log.warn('JWT_SECRET is not set: tokens are checked with a random secret, so none made elsewhere is valid')
  else if (isShortSecret(settings)) app.log.warn('JWT_SECRET is shorter than 32 bytes: production refuses to start with it; make one with: openssl rand -hex 32')
  for (const notice of settingNotices(settings)) app.log.warn(notice)
  const compression = settings.COMPRESSION === 'on'
  const originAllowed = originPolicy(settings.ALLOWED_ORIGINS)
  const listed = listedOrigins(settings.ALLOWED_ORIGINS)

  await app.register(async scope => {
    // Requests are judged by the handlers, with the compilers that judge WebSocket messages: schemas here are for the docs.
    scope.setValidatorCompiler(() => () => true)
    scope.setSerializerCompiler(() => data => JSON.stringify(data))
    // Fastify reads it as a text, which no endpoint takes: it is to be refused as any other type.
    scope.removeContentTypeParser('text/plain')
    await scope.register(errors, { notFound: false })
    await scope.register(jsonBody)
    await scope.register(auth, { keys, issuer: settings.JWT_ISSUER, audience: settings.JWT_AUDIENCE, coordination, listedOrigins: listed })
    await scope.register(streaming, {
      log,
      coordination,
      channels,
      sources: [...typeof sources === 'string' ? parseSources(sources) : sources, ...processorSources(processors, log)],
      processors,
      flushMs: settings.FLUSH_MS,
      recentBytes: settings.RETENTION_BYTES * RECENT_SHARE,
      heartbeatMs: settings.HEARTBEAT_MS,
      idleTimeoutMs: settings.IDLE_TIMEOUT_MS,
      maxConnections: settings.MAX_CONNECTIONS,
      maxConnectionsPerIp: settings.MAX_CONNECTIONS_PER_IP,
      maxConnectionsPerUser: settings.MAX_CONNECTIONS_PER_USER,
      maxSubscriptions: settings.MAX_SUBSCRIPTIONS,
      maxMessagesPerSecond: settings.RATE_LIMIT_MESSAGES,
      maxMessageBytes: settings.MAX_MESSAGE_BYTES,
      maxBufferedBytes: settings.MAX_BUFFERED_BYTES,
      compression,
      authenticationRequired: settings.AUTH !== 'optional',
      acceptUnknownSymbols: settings.UNKNOWN_SYMBOLS === 'accept',
      nodeName: settings.NODE_NAME,
      nodeUrl: settings.NODE_URL
    })
    await scope.register(wires, { originAllowed, listedOrigins: listed, maxMessageBytes: settings.MAX_MESSAGE_BYTES, compression })
    // Behind CORS, so that a page can read that it asks too often; before the routes, which it counts.
    await scope.register(requestRate, { maxRequestsPerSecond: settings.RATE_LIMIT_REQUESTS })
    const shared: RouteOptions = {
      originAllowed, development: settings.NODE_ENV !== 'production', adminLink: options.adminLink
    }
    for (const name of order) if (routes.includes(name)) await scope.register(routeGroups[name] as FastifyPluginAsync<RouteOptions>, shared)

    const { authenticator, streaming: parts } = scope
    const { publisher, declare } = parts
    app.decorate('tickwire', {
      channels,
      async publish (channel, message) {
        const [result] = await publisher.publish([{ ...message, channel: channel.name }], { publisher: OWN_PUBLISHER })
        if (result === undefined || 'code' in result) throw new ProtocolError(result?.code ?? 'internal', result?.message)
        return result.sequence
      },
      publishAll: publications => publisher.publish(publications, { publisher: OWN_PUBLISHER }),
      declare,
      signToken (claims, seconds = TOKEN_SECONDS) {
        const fault = faultOfClaims(claims, seconds)
        if (fault !== undefined) throw new Error(`signToken: ${fault}`)
        return authenticator.sign(claims, seconds)
      },
      parts
    })
  }, { prefix })
}, { name: 'tickwire', fastify: '5.x' })

type OnError = (error: unknown, message: string) => void

/** Both, or neither. @throws LogSetupError */
async function openLogAndCoordination (options: TickwireOptions, settings: TickwireSettings, channels: Channels, onError: OnError): Promise<[Log, Coordination]> {
  const log = options.log ?? await openLog(settings, channels, onError)
  try {
    return [log, options.coordination ?? await openCoordination(settings, onError)]
  } catch (error) {
    await log.close()
    throw error
  }
}

/** The log that the settings ask for. @throws LogSetupError */
async function openLog (settings: TickwireSettings, channels: Channels, onError: OnError): Promise<Log> {
  const options = {
    channels,
    shards: settings.LOG_SHARDS,
    retention: { messages: settings.RETENTION_MESSAGES, seconds: settings.RETENTION_SECONDS, bytes: settings.RETENTION_BYTES },
    maxTopics: settings.MAX_TOPICS,
    maxTopicNames: settings.MAX_TOPIC_NAMES
  }
  if (settings.REDIS_URL === undefined) return new MemoryLog(options)
  const { REDIS_URL: url, REDIS_KEY_PREFIX: keyPrefix } = settings
  return await RedisLog.open({ ...options, url, keyPrefix, alsoRun: coordinationCommands(keyPrefix), onError })
}

/** Where the nodes of a log share what they know: on its Redis, or for one alone in memory. @throws LogSetupError */
async function openCoordination ({ REDIS_URL: url, REDIS_KEY_PREFIX: keyPrefix }: TickwireSettings, onError: OnError): Promise<Coordination> {
  return url === undefined ? new MemoryCoordination() : await RedisCoordination.open({ url, keyPrefix, onError })
}

/** @throws ConfigError that says which definition cannot be used, and why */
function allChannels (own: readonly ChannelDefinition[]): Channels {
  const channels = new Map(standardChannels)
  for (const definition of own) {
    const fault = channelFault(definition)
    if (fault !== undefined) throw new ConfigError(fault)
    if (channels.has(definition.name)) throw new ConfigError(`the channel '${definition.name}' exists already`)
    channels.set(definition.name, definition)
  }
  return channels
}
