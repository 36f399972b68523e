import { isDeepStrictEqual } from 'node:util'
import { type Channels, type Instrument, instruments as instrumentsChannel, ProtocolError } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Identity } from '../src/auth/identity.js'
import { refusePublish } from '../src/auth/permissions.js'
import { Connections } from '../src/connection/connections.js'
import { Events } from '../src/connection/events.js'
import { PAGE_MESSAGES } from '../src/connection/delivery.js'
import { answerDisconnects, disconnect } from '../src/connection/disconnect.js'
import type { ConnectionLimits } from '../src/connection/places.js'
import type { Address } from '../src/connection/registry.js'
import { type HistoryAnswer, type HistoryRequest, readHistory } from '../src/hub/history.js'
import { refuseUnknown } from '../src/connection/selectors.js'
import { errorFields } from '../src/errors.js'
import { Counters } from '../src/metrics/counters.js'
import { Hub } from '../src/hub/hub.js'
import type { Log } from '../src/log/log.js'
import { type Publication, Publisher, type PublishLimits } from '../src/publisher/publisher.js'
import type { Source } from '../src/sources/source.js'
import { SourceSupervisor } from '../src/sources/supervisor.js'
import type { Store } from '../src/store/store.js'
import { PollSessions } from '../src/transports/poll/held-poll.js'
import { KernelQueues } from '../src/transports/sse/kernel-queues.js'
import type { StreamContext } from '../src/transports/stream-request.js'
import { refusalOf } from './errors.js'

export interface StreamingOptions extends ConnectionLimits {
  readonly log: Log
  readonly store: Store
  readonly channels: Channels
  readonly sources: readonly Source[]
  readonly flushMs: number | 'auto'
  readonly recentBytes: number
  readonly heartbeatMs: number
  readonly idleTimeoutMs: number
  readonly maxSubscriptions: number
  readonly maxMessagesPerSecond: number
  readonly maxBufferedBytes: number
  readonly compression: boolean
  readonly authenticationRequired: boolean
  readonly acceptUnknownSymbols: boolean
}

/** What the routes work with. */
export interface Streaming {
  readonly log: Log
  /** What the nodes know together beside the log. */
  readonly store: Store
  readonly channels: Channels
  readonly hub: Hub
  readonly counters: Counters
  readonly publisher: Publisher
  readonly connections: Connections
  readonly events: Events
  readonly sources: SourceSupervisor
  /** What the transports of the stream have in common. */
  readonly stream: StreamContext
  /** Which topics somebody may publish to: those that the token permits and that exist. */
  permitPublish (identity: Identity): NonNullable<PublishLimits['permit']>
  /** Makes instruments known, or moves them between sets. */
  declare (instruments: readonly Instrument[]): Promise<void>
  /** Ends a connection, or all of a user, on whichever node they are. @returns whether there was one @throws ProtocolError `log_unavailable` */
  disconnect (address: Address): Promise<boolean>
  /** A topic's messages after a sequence; undefined for a topic that never was. */
  history (topic: string, request: HistoryRequest): Promise<HistoryAnswer | undefined>
}

declare module 'fastify' {
  interface FastifyInstance {
    streaming: Streaming
  }
  interface FastifyContextConfig {
    /** Names the transport of a request for the stream; absent where a route is none. */
    readonly transportOf?: (request: FastifyRequest) => string
  }
}

/** Names the sources of this server as publishers; no token can have it as its user. */
const SOURCE_PUBLISHER = ''
/** Over how long the clients of a server that goes away are spread when they come back. */
const RECONNECT_SPREAD_MS = 2000

/** Log, publisher, hub, connections and sources of one node. */
export const streaming = fp<StreamingOptions>(async (app, options) => {
  const { log, store, channels } = options
  const onError = (error: unknown, message: string): void => { app.log.error({ err: errorFields(error) }, message) }
  const counters = new Counters()
  const hub = new Hub({ log, channels, flushMs: options.flushMs, recentBytes: options.recentBytes, counters, onError })
  await hub.start()
  const publisher = new Publisher({ log, channels })
  const connections = new Connections(options, options.heartbeatMs)
  const stopDisconnects = answerDisconnects(store, connections.registry)
  const events = new Events(app.log)
  const draining = new AbortController()

  const publish = async (publications: readonly Publication[]): Promise<void> => {
    if (publications.length === 0) return
    const results = await publisher.publish(publications, { publisher: SOURCE_PUBLISHER })
    for (const [index, result] of results.entries()) {
      if (!('code' in result)) continue
      const { channel, symbol } = publications[index]!
      app.log.warn({ channel, symbol, code: result.code, reason: result.message }, 'a message of a source was refused')
    }
  }
  // What is known already is not said again: whoever resumes would take it for a move between sets.
  const declare = (instruments: readonly Instrument[]): Promise<void> => publish(instruments
    .filter(instrument => !isDeepStrictEqual(hub.directory.instrument(instrument.symbol), instrument))
    .map(instrument => ({ channel: instrumentsChannel.name, symbol: instrument.symbol, data: instrument })))
  const sources = new SourceSupervisor(options.sources, { publish, declare }, app.log)

  const stream: StreamContext = {
    hub,
    channels,
    connections,
    events,
    directory: hub.directory,
    membership: hub.membership,
    hasTopic: topic => hub.hasTopic(topic),
    heartbeatMs: options.heartbeatMs,
    idleTimeoutMs: options.idleTimeoutMs,
    maxSubscriptions: options.maxSubscriptions,
    maxMessagesPerSecond: options.maxMessagesPerSecond,
    maxBufferedBytes: options.maxBufferedBytes,
    pageMessages: PAGE_MESSAGES,
    compression: options.compression,
    authenticationRequired: options.authenticationRequired,
    acceptUnknownSymbols: options.acceptUnknownSymbols,
    kernelQueues: new KernelQueues(options.heartbeatMs / 2),
    polls: new PollSessions(connections.registry),
    draining: draining.signal,
    verifyToken: token => app.authenticator.verify(token),
    identify: request => app.authenticator.identify(request),
    onError
  }
  const history: Streaming['history'] = (topic, request) => readHistory(hub, topic, request)
  const permitPublish: Streaming['permitPublish'] = identity => (channel, { symbol }) => (
    refusePublish(identity, channel, symbol) ?? refuseUnknown(stream, channel, symbol))
  app.decorate('streaming', {
    log, store, channels, hub, counters, publisher, connections, events, sources, stream, permitPublish, history, declare, disconnect: address => disconnect(store, address)
  })

  app.addHook('onError', async (request, _reply, error) => {
    const transport = request.routeOptions.config.transportOf?.(request) ?? 'http'
    events.refused({ transport, address: request.ip, user: app.authenticator.userOf(request) }, refusalOf(error).code)
  })
  app.addHook('onReady', async () => { await sources.begin() })
  app.addHook('preClose', async () => {
    draining.abort(new ProtocolError('going_away'))
    await sources.close()
    connections.closeAll({ code: 'going_away', message: 'the server is going away' }, RECONNECT_SPREAD_MS)
  })
  app.addHook('onClose', async () => {
    stopDisconnects()
    hub.close()
    await Promise.all([log.close(), store.close()])
  })
}, { name: 'tickwire-streaming', fastify: '5.x', dependencies: ['tickwire-auth'] })
