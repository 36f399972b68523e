import type { ChannelDefinition, Channels, Instrument } from '@tickwire/protocol'
import type { Static, TSchema } from '@sinclair/typebox'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { auth, type TokenClaims } from '../plugins/auth.js'
import { errors } from '../plugins/errors.js'
import { jsonBody } from '../plugins/json-body.js'
import { requestRate } from '../plugins/request-rate.js'
import { streaming } from '../plugins/streaming.js'
import type { Streaming } from '../plugins/streaming-parts.js'
import { wires } from '../plugins/wires.js'
import { type RouteGroup, routeGroups, type RouteOptions } from '../routes/index.js'
import { faultOfClaims } from './auth/claims.js'
import type { Broker } from './brokers/broker.js'
import { refuseTrade } from './auth/permissions.js'
import { openKeys } from './auth/open-keys.js'
import { listedOrigins, originPolicy } from './auth/origin.js'
import { allChannels } from './channels.js'
import { checkKeySettings, isShortSecret, loadSettings, type StreamingSettings } from './config.js'
import { errorFields } from './errors.js'
import { LocalLog } from './local/local-log.js'
import { type Log, RECENT_SHARE } from './log/log.js'
import { makeExchange } from './exchange.js'
import { History } from './history/history.js'
import { recordedChannels } from './history/recorded-channels.js'
import { HeatmapCounters } from './metrics/heatmap-counters.js'
import { checkMonitorSettings, MonitorStore } from './monitor/monitor-store.js'
import { settingNotices } from './notices.js'
import { isVolatile, openLogAndCoordination, outlivesProcess } from './open-log.js'
import { paperRules } from './paper-rules.js'
import { checkPluginOptions } from './plugin-options.js'
import { alertProcessor } from './processors/alerts/alert-processor.js'
import { checkProcessors } from './processors/check.js'
import { HeatmapSource } from './processors/heatmap/heatmap-source.js'
import { heatmapFlows, heatmapOptions } from './processors/heatmap/settings.js'
import { processorSources } from './processors/processor-sources.js'
import type { Processor } from './processors/processor.js'
import { type Publication, type PublishResult, Publisher } from './publisher/publisher.js'
import { parseFeeds } from './sources/news/feeds.js'
import { NewsSource } from './sources/news/news-source.js'
import { parseSources } from './sources/registry.js'
import { openSigning } from './signing/open-signing.js'
import { StrategyRegistry } from './strategies/registry.js'
import { setUpStrategies } from './strategies/set-up.js'
import { keepCompacted } from './store/keep-compacted.js'
import { openHeatDatabase } from './store/duckdb/heat-database.js'
import { openStore } from './store/open-store.js'
import { accessTo, type StoreLog } from './store/store.js'
import type { Source } from './sources/source.js'
import { TradingRecords } from './trading-records/trading-records.js'
import { overdueSources } from './unacknowledged/overdue-watch.js'
import type { Coordination } from './coordination/coordination.js'

/** Groups of endpoints that are served by default: the stream, and what its clients use beside it. */
const DEFAULT_ROUTES: readonly RouteGroup[] = [
  'stream', 'tickets', 'publish', 'topics', 'acknowledgements', 'alerts', 'keys', 'trading', 'strategies'
]

/** How long a token is valid unless the application says otherwise. */
const TOKEN_SECONDS = 3600
const DAY_MS = 86_400_000

/**
 * The settings that concern the streaming itself, named as the environment variables of
 * docs/configuration.md.
 */
export type TickwireSettings = StreamingSettings

export interface TickwireOptions {
  /** A prefix for every path: `/market` makes the stream `/market/v1/stream`. Default: none. */
  readonly prefix?: string
  /** Channels beside the standard ones, made with `defineChannel`. */
  readonly channels?: readonly ChannelDefinition[]
  /**
   * The groups of endpoints to serve. Default: `stream`, `tickets`, `publish`, `topics`,
   * `acknowledgements`, `alerts`, `keys`, `trading`, `strategies`.
   */
  readonly routes?: readonly RouteGroup[]
  /**
   * Where messages come from beside `publish`: sources of your own, or a text as in `SOURCES`. Default: none.
   */
  readonly sources?: readonly Source[] | string
  /**
   * Instruments that are declared at the start. What they say of a symbol stands, whatever sources declare.
   * Default: none.
   */
  readonly instruments?: readonly Instrument[]
  /**
   * Processors, which compute messages from messages. Each runs on one server at a time. The log appends what
   * a processor publishes once, even if another server takes the processor over. Default: none.
   */
  readonly processors?: readonly Processor[]
  /**
   * Modules that export what `defineStrategy` returns, as paths or URLs: workers load them from there.
   * Default: none, beside those that are built in.
   */
  readonly strategies?: readonly (string | URL)[]
  /** What fills the orders of users (docs/trading.md, Write a broker). Default: the paper exchange. */
  readonly broker?: Broker
  /** The log. Default: on Redis, in files or in memory, by the settings. It closes with the application. */
  readonly log?: Log
  /**
   * What several servers know together beside the log: tickets, leases, which servers there are. Default: on
   * Redis if `REDIS_URL` is set, else in memory. It closes with the application.
   */
  readonly coordination?: Coordination
  /** Settings that differ from their defaults. The plugin reads no environment variables. */
  readonly settings?: { readonly [Name in keyof TickwireSettings]?: TickwireSettings[Name] | undefined }
  /**
   * Shows the operator a path on this server, once it listens and whenever the page asks for it. The path,
   * behind the server's address, is a link that gives one browser a token with `admin`; show it only where
   * nobody else can read it. Needs the routes `page`, and does nothing in production. Default: there are no
   * such links.
   */
  readonly adminLink?: (path: string) => void
}

/** A message of a channel, as {@link Tickwire.publish} takes it. */
export interface Message<Data> {
  /** The symbol, for a channel whose topics have one. */
  readonly symbol?: string
  /** The owner of the topic, for a channel of private topics. */
  readonly user?: string
  readonly data: Data
  /** The message replaces the topic's whole state. */
  readonly snapshot?: boolean
  /**
   * If the key was used for this topic within the last ten minutes, the log does not append the message
   * again.
   */
  readonly idempotencyKey?: string
}

/** What an application can do with the streaming: `app.tickwire`. */
export interface Tickwire {
  readonly channels: Channels
  /**
   * Validates a message and appends it to the log, from where it goes to all its subscribers.
   * @returns its sequence, once the log has it
   * @throws ProtocolError if it does not fit the channel, or if the log cannot be reached or is full
   */
  publish<Schema extends TSchema> (
    channel: ChannelDefinition<Schema>, message: Message<Static<Schema>>
  ): Promise<number>
  /**
   * Publishes many messages, of any channels, in order. Each has a result of its own; a refusal stops no
   * other.
   */
  publishAll (publications: readonly Publication[]): Promise<readonly PublishResult[]>
  /**
   * Declares instruments, so that clients may subscribe to them, or moves them between markets and sectors.
   * Once it has resolved, this server knows them; others hear of them a moment later.
   * @throws ProtocolError for the first that is refused, for instance because its market or sector cannot
   *   name a symbol set; the others are declared
   */
  declare (instruments: readonly Instrument[]): Promise<void>
  /**
   * Takes back what was declared of symbols, by `declare` or by sources: they leave their sets. Symbols that
   * nobody declares are passed over. What an operator declared stands (`/v1/admin/symbols`).
   * @throws ProtocolError for the first that is refused
   */
  undeclare (symbols: readonly string[]): Promise<void>
  /**
   * Signs a token for a user of this application. `sub` names the user; `read`, `publish`, `trade` and
   * `admin` say what the token permits (PROTOCOL.md, Credentials).
   * @param seconds how long the token is valid; default: an hour
   * @throws Error that says what is wrong with the claims, or that there is no `JWT_SECRET` to sign with
   */
  signToken (claims: TokenClaims, seconds?: number): string
  /** The log, the hub, the connections and other parts. Not a stable interface. */
  readonly parts: Streaming
}

declare module 'fastify' {
  interface FastifyInstance {
    tickwire: Tickwire
  }
}

/**
 * The plugin: streaming as a part of a Fastify application. It throws a ConfigError for any option it does
 * not know.
 */
export const tickwire = fp<TickwireOptions>(async (app, options) => {
  const order = Object.keys(routeGroups) as RouteGroup[]
  checkPluginOptions({ ...options }, order)
  const { prefix = '', routes = DEFAULT_ROUTES, sources = [], instruments = [] } = options
  const settings = loadSettings(options.settings ?? {})
  checkMonitorSettings(settings)
  const channels = allChannels(options.channels ?? [])
  const signing = openSigning(settings)
  const rules = paperRules(settings)
  const exchange = settings.BROKER === 'none'
    ? undefined
    : makeExchange({
      channels,
      rules,
      hub: () => app.tickwire.parts.hub,
      signer: signing.signer,
      broker: options.broker,
      count (event) {
        app.tickwire.parts.counters.noteSourceEvent({ source: 'broker', part: 'broker', event }, 1)
      },
      error: (details, message) => { app.log.error(details, message) }
    })
  const trading = exchange === undefined ? [] : [exchange.processor]
  const processors = [alertProcessor(channels), ...trading, ...options.processors ?? []]
  checkProcessors(processors, channels)
  const given = typeof sources === 'string' ? parseSources(sources) : sources
  const registry = await StrategyRegistry.load(options.strategies ?? [], settings.STRATEGIES)
  const feeds = settings.NEWS_FEEDS === undefined ? [] : parseFeeds(settings.NEWS_FEEDS)
  const recorded = settings.RECORD === undefined ? undefined : recordedChannels(settings.RECORD, channels)
  const onError = (error: unknown, message: string): void => {
    app.log.error({ err: errorFields(error) }, message)
  }
  const keys = openKeys(settings, onError)
  const write: StoreLog = (level, fields, message) => { app.log[level](fields, message) }
  const opened = openLogAndCoordination(options, settings, channels, { onError, write })
  const [log, coordination] = await opened.catch((error: unknown) => {
    keys.close()
    throw error
  })
  const endsWithLog = (): boolean => isVolatile(log) && app.workers?.areClosing !== false
  const publisher = new Publisher({ log, channels })
  const keepsItself = options.log !== undefined || outlivesProcess(settings)
  const isShared = settings.REDIS_URL !== undefined || log instanceof LocalLog
  const closeAll = async (error: unknown): Promise<never> => {
    keys.close()
    await Promise.all([log.close(), coordination.close()])
    throw error
  }
  const store = recorded === undefined
    ? undefined
    : await openStore(settings, { isShared, log: write }).catch(closeAll)
  const compacted = keepsItself
    ? undefined
    : await keepCompacted({ settings, log, channels, publisher, write, own: options.channels, opened: store })
      .catch(closeAll)
  if (checkKeySettings(settings) === undefined) {
    app.log.warn('JWT_SECRET is not set: a random secret checks tokens, so no token made elsewhere is valid')
  } else if (isShortSecret(settings)) {
    app.log.warn('JWT_SECRET is shorter than 32 bytes: production refuses to start with it; ' +
      'make one with: openssl rand -hex 32')
  }
  for (const notice of settingNotices(settings)) app.log.warn(notice)
  const compression = settings.COMPRESSION === 'on'
  const heatmaps = new HeatmapCounters()
  const { intervalMs, databaseOf } = heatmapOptions(settings)
  const heatmapSource = new HeatmapSource({
    log,
    coordination,
    counters: heatmaps,
    intervalMs,
    open: kind => openHeatDatabase(databaseOf(kind))
  })
  const strategies = setUpStrategies({
    registry,
    log,
    publisher,
    settings,
    trading: exchange === undefined
      ? undefined
      : {
          mayTrade: refuseTrade,
          submit: async (user, order) => { await app.tickwire.parts.orderOwn(user, order) }
        }
  })
  const originAllowed = originPolicy(settings.ALLOWED_ORIGINS)
  const listed = listedOrigins(settings.ALLOWED_ORIGINS)

  await app.register(async scope => {
    // The handlers check requests, with the compilers that check WebSocket messages; schemas here are for the
    // docs.
    scope.setValidatorCompiler(() => () => true)
    scope.setSerializerCompiler(() => data => JSON.stringify(data))
    // Fastify reads text/plain by default. No endpoint takes it, so it must be refused like any other type.
    scope.removeContentTypeParser('text/plain')
    await scope.register(errors, { notFound: false })
    await scope.register(jsonBody)
    await scope.register(auth, {
      keys, issuer: settings.JWT_ISSUER, audience: settings.JWT_AUDIENCE, coordination, listedOrigins: listed
    })
    const news = feeds.length === 0
      ? []
      : [new NewsSource({
          feeds,
          log,
          instruments: () => scope.streaming.hub.directory.instruments(),
          count (part, event, times) {
            scope.streaming.counters.noteSourceEvent({ source: 'news', part, event }, times)
          }
        })]
    const history = new History({
      log,
      store,
      channels: recorded ?? new Set(),
      logger: app.log,
      keepMs: settings.RECORD_DAYS === undefined ? undefined : settings.RECORD_DAYS * DAY_MS,
      get endsWithLog () { return endsWithLog() },
      ownsStore: compacted === undefined,
      count (part, event, times) {
        scope.streaming.counters.noteSourceEvent({ source: 'recorder', part, event }, times)
      }
    })
    const tradingRecords = await TradingRecords.open(
      { log, settings, logger: app.log, get endsWithLog () { return endsWithLog() } },
      { compacted: compacted?.access, opened: store },
      {
        isTrading: exchange !== undefined,
        openingBalances: Array.from(rules.balances, ([currency, cash]) => ({ currency, cash })),
        currency: rules.base
      }
    )
    const monitorStore = await MonitorStore.open(
      settings,
      { isShared, log: write },
      [compacted?.access, store && accessTo(store), tradingRecords.access]
    )
    await scope.register(streaming, {
      log,
      coordination,
      compacted,
      monitorStore,
      history,
      tradingRecords,
      publisher,
      channels,
      heatmaps,
      notOverWebSocket: new Set(settings.WS_ENABLED ? [] : heatmapSource.lazy.channels),
      sources: [
        ...given, ...news, ...history.sources, ...tradingRecords.sources,
        ...processorSources(processors, log), ...exchange?.sources(log) ?? [], heatmapSource,
        strategies.source, ...overdueSources(settings.ACK_ALERT_SECONDS, {
          log, channels, logger: app.log, report (found) { scope.streaming.counters.overdue = found }
        })
      ],
      strategies: strategies.asked,
      instruments,
      processors: [...processors, ...heatmapFlows(settings)],
      flushMs: settings.FLUSH_MS,
      recentBytes: settings.RETENTION_BYTES * RECENT_SHARE,
      heartbeatMs: settings.HEARTBEAT_MS,
      idleTimeoutMs: settings.IDLE_TIMEOUT_MS,
      maxConnections: settings.MAX_CONNECTIONS,
      maxConnectionsPerIp: settings.MAX_CONNECTIONS_PER_IP,
      maxConnectionsPerUser: settings.MAX_CONNECTIONS_PER_USER,
      maxAlertRules: settings.MAX_ALERT_RULES,
      takesOrders: exchange !== undefined,
      resetsAccounts: options.broker === undefined,
      maxOrdersPerSecond: settings.RATE_LIMIT_ORDERS,
      baseCurrency: rules.base,
      verifyOrders: (identity, action, message) => signing.requests.verify(identity, action, message),
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
    await scope.register(wires, {
      originAllowed, listedOrigins: listed, maxMessageBytes: settings.MAX_MESSAGE_BYTES, compression
    })
    // After CORS, so that a page can read that it asks too often; before the routes, whose requests it
    // counts.
    await scope.register(requestRate, { maxRequestsPerSecond: settings.RATE_LIMIT_REQUESTS })
    const shared: RouteOptions = {
      originAllowed,
      development: settings.NODE_ENV !== 'production',
      adminLink: options.adminLink,
      orderKeys: signing.signer?.listed ?? []
    }
    for (const name of order) {
      if (routes.includes(name)) {
        await scope.register(routeGroups[name] as FastifyPluginAsync<RouteOptions>, shared)
      }
    }

    const { authenticator, streaming: parts } = scope
    const { declare, undeclare } = parts
    app.decorate('tickwire', {
      channels,
      async publish (channel, message) {
        return (await publisher.publishOne({ ...message, channel: channel.name })).sequence
      },
      publishAll: publications => publisher.publishOwn(publications),
      declare,
      undeclare,
      signToken (claims, seconds = TOKEN_SECONDS) {
        const fault = faultOfClaims(claims, seconds)
        if (fault !== undefined) throw new Error(`signToken: ${fault}`)
        return authenticator.sign(claims, seconds)
      },
      parts
    })
  }, { prefix })
}, { name: 'tickwire', fastify: '5.x' })
