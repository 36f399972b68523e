import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import {
  barsChannel, type ChannelDefinition, type Channels, type Instrument, ProtocolError
} from '@tickwire/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AlertRules } from '../src/alerts/alert-rules.js'
import { RuleDemand } from '../src/alerts/rule-demand.js'
import { refusePublish } from '../src/auth/permissions.js'
import { Acknowledging } from '../src/connection/acknowledging.js'
import { Connections } from '../src/connection/connections.js'
import { Events } from '../src/connection/events.js'
import { PAGE_MESSAGES } from '../src/connection/delivery/delivery.js'
import { answerDisconnects, disconnect } from '../src/connection/disconnect.js'
import type { ConnectionLimits } from '../src/connection/connection-quota.js'
import type { Address } from '../src/connection/registry.js'
import { type HistoryAnswer, type HistoryRequest, readHistory } from '../src/hub/catch-up/history.js'
import { Publishing } from '../src/connection/publishing.js'
import { refuseUnknown, spelledSymbol } from '../src/connection/selectors.js'
import { Dialects } from '../src/dialects/dialects.js'
import { errorFields } from '../src/errors.js'
import { Counters } from '../src/metrics/counters.js'
import type { HeatmapCounters } from '../src/metrics/heatmap-counters.js'
import type { Watch } from '../src/hub/audience/demand.js'
import { Hub } from '../src/hub/hub.js'
import { OperatorInstruments } from '../src/instruments/operator-instruments.js'
import type { Log } from '../src/log/log.js'
import { type History, RECORDER } from '../src/history/history.js'
import type { HistoryReader } from '../src/history/history-reader.js'
import { Heartbeat } from '../src/nodes/heartbeat.js'
import { LoadMeter } from '../src/nodes/load.js'
import { Nodes } from '../src/nodes/nodes.js'
import { type BarsRequest, readBars } from '../src/processors/bars/read-bars.js'
import { type Flow, wantedBy } from '../src/processors/demand.js'
import { PublishRequests } from '../src/publisher/publish-requests.js'
import { type Publisher, type PublishResult } from '../src/publisher/publisher.js'
import type { Source } from '../src/sources/source.js'
import { SourceSupervisor } from '../src/sources/supervisor.js'
import { OrderRequests } from '../src/trading-requests/order-requests.js'
import type { CompactedTopics } from '../src/store/compacted-topics.js'
import type { Coordination } from '../src/coordination/coordination.js'
import { PollSessions } from '../src/transports/poll/held-poll.js'
import { KernelQueues } from '../src/transports/sse/kernel-queues.js'
import type { StreamContext } from '../src/transports/stream-request.js'
import { version } from '../src/version.js'
import { refusalOf } from './errors.js'
import { sourceFeed } from './source-feed.js'

export interface StreamingOptions extends ConnectionLimits {
  readonly log: Log
  readonly coordination: Coordination
  readonly heatmaps: HeatmapCounters
  /** The channels that the server does not serve over WebSocket. */
  readonly notOverWebSocket: ReadonlySet<string>
  /** What a log in memory must not forget. */
  readonly compacted: CompactedTopics | undefined
  /** The histories of topics; closed with the streaming. */
  readonly history: History
  readonly publisher: Publisher
  readonly channels: Channels
  readonly sources: readonly Source[]
  /** What is declared at the start. */
  readonly instruments: readonly Instrument[]
  /** What the sources make that are processors: a subscriber of their outputs needs their inputs, too. */
  readonly processors: readonly Flow[]
  readonly flushMs: number | 'auto'
  readonly recentBytes: number
  readonly heartbeatMs: number
  readonly idleTimeoutMs: number
  readonly maxAlertRules: number
  /** Whether there is an exchange. */
  readonly takesOrders: boolean
  /** Requests about orders that a user may send. */
  readonly maxOrdersPerSecond: number
  /** The currency of an instrument that names none. */
  readonly baseCurrency: string
  readonly maxSubscriptions: number
  readonly maxMessagesPerSecond: number
  /** The largest data of one message, in bytes of JSON. */
  readonly maxMessageBytes: number
  readonly maxBufferedBytes: number
  readonly compression: boolean
  readonly authenticationRequired: boolean
  readonly acceptUnknownSymbols: boolean
  /** The name by which other servers know this one; default: its host and process. */
  readonly nodeName: string | undefined
  /** The address at which they reach it; default: where it listens. */
  readonly nodeUrl: string | undefined
}

/** The parts with which the routes work. */
export interface Streaming {
  readonly log: Log
  /** What the nodes know together, beside the log. */
  readonly coordination: Coordination
  readonly channels: Channels
  readonly hub: Hub
  readonly counters: Counters
  readonly heatmaps: HeatmapCounters
  readonly publisher: Publisher
  /** Takes what clients publish. */
  readonly publishing: Publishing
  /** Takes what users ask of the exchange. */
  readonly orderRequests: OrderRequests
  /** The alert rules of users. */
  readonly alerts: AlertRules
  /** What alert rules demand; undefined before the server is ready. */
  ruleDemand (): RuleDemand | undefined
  readonly connections: Connections
  readonly events: Events
  readonly instruments: OperatorInstruments
  readonly sources: SourceSupervisor
  readonly nodes: Nodes
  readonly heartbeat: Heartbeat
  /** What all transports of the stream use. */
  readonly stream: StreamContext
  /**
   * Declares instruments, or moves them between sets.
   * @throws ProtocolError for the first that is refused; the others are declared
   */
  declare (instruments: readonly Instrument[]): Promise<void>
  /** Takes back what was declared. @throws ProtocolError for the first that is refused */
  undeclare (symbols: readonly string[]): Promise<void>
  /**
   * Closes a connection, or all of a user, on whichever node they are.
   * @returns whether there was one
   * @throws ProtocolError `log_unavailable`
   */
  disconnect (address: Address): Promise<boolean>
  /** Returns the symbol that a client means, where a channel takes either spelling of a pair. */
  spelledSymbol (channel: ChannelDefinition, symbol: string | undefined): string | undefined
  /** Reads a topic's messages after a sequence; undefined for a topic that never had any. */
  history (topic: string, request: HistoryRequest): Promise<HistoryAnswer | undefined>
  /** Reads bars. @throws ProtocolError `unknown_symbol`, `log_unavailable` */
  bars (request: BarsRequest): Promise<BarsAnswer>
  /** Reads what is recorded of a topic, and what is retained. */
  readonly histories: HistoryReader
}

interface BarsAnswer {
  /** As in {@link HistoryAnswer}. */
  readonly epoch: string
  /** After it a subscription goes on. */
  readonly sequence: number
  /** As JSON text, oldest first. */
  readonly bars: readonly string[]
}

/**
 * Declared here, because tsc drops an import from the types that it writes if only an augmentation uses it.
 */
type TransportOf = (request: FastifyRequest) => string

declare module 'fastify' {
  interface FastifyInstance {
    streaming: Streaming
  }
  interface FastifyContextConfig {
    /** Names the transport of a request for the stream; absent on other routes. */
    readonly transportOf?: TransportOf
  }
}

/** The time over which the clients of a closing server spread their reconnects. */
const RECONNECT_SPREAD_MS = 2000

/** Makes the log, publisher, hub, connections and sources of one node work together. */
export const streaming = fp<StreamingOptions>(async (app, options) => {
  const { log, coordination, publisher, channels } = options
  const onError = (error: unknown, message: string): void => {
    app.log.error({ err: errorFields(error) }, message)
  }
  const counters = new Counters()
  const { flushMs, recentBytes } = options
  const hub = new Hub({ log, channels, flushMs, recentBytes, counters, onError })
  await hub.start()
  const connections = new Connections(options, options.heartbeatMs)
  const stopDisconnects = answerDisconnects(coordination, connections.registry)
  const events = new Events(app.log)
  const draining = new AbortController()

  const node = { id: randomUUID(), name: options.nodeName ?? `${hostname()}-${process.pid}` }
  const started = new Date().toISOString()
  const load = new LoadMeter(counters, () => connections.active)
  const nodes = new Nodes(coordination, log, node.id)
  const stopPositions = nodes.answerPositions(() =>
    hub.shards.map(({ isAwake, received }) => isAwake ? received : null))
  const demands = new Map<string, Watch>()
  const heartbeat = new Heartbeat({
    registry: coordination.registry,
    node: node.id,
    record: measured => {
      const url = options.nodeUrl ?? listensAt(app)
      return {
        ...node,
        ...(url === undefined ? {} : { url }),
        version,
        started,
        load: measured ? load.measure() : load.last,
        sources: Object.fromEntries(sources.status().map(({ name, state }) => [name, state])),
        wants: sources.wanted()
      }
    },
    onError
  })
  const feed = sourceFeed(publisher, hub, app.log, options.instruments)
  const sources = new SourceSupervisor(options.sources, {
    ...feed,
    node,
    coordination,
    logger: app.log,
    raise: source => log.raise(source),
    isWantedHere: source => demands.get(source)?.isWanted() === true,
    isWantedElsewhere: async source =>
      (await nodes.others()).some(({ wants }) => wants.includes(source)),
    isKnownElsewhere: async source =>
      (await nodes.others()).some(({ sources: theirs }) => Object.hasOwn(theirs, source)),
    isAlone: async () => (await nodes.others()).length === 0,
    onHeld: () => { heartbeat.touch() },
    onFenced: source => { counters.fence(source) }
  })
  for (const { name, lazy } of options.sources) {
    if (lazy === undefined) continue
    const covers = (symbol: string): boolean => lazy.servesAll === true || sources.covers(name, symbol)
    const offer = { channels: wantedBy(options.processors, lazy.channels), covers }
    const watch = hub.demand.watch(offer, () => {
      sources.demanded(name)
      heartbeat.touch()
    })
    demands.set(name, watch)
    const every = (): string[] => Array.from(hub.directory.instruments(), ({ symbol }) => symbol)
    lazy.attach?.(() => watch.topics(every))
  }

  const publishRequests = new PublishRequests(publisher, channels, options.maxMessageBytes)
  const publishing = new Publishing(publishRequests, events, identity =>
    (channel, { symbol }) =>
      refusePublish(identity, channel, symbol) ?? refuseUnknown(stream, channel, symbol))
  const acknowledging = new Acknowledging(hub, publisher, options)
  const names = {
    channels,
    directory: hub.directory,
    membership: hub.membership,
    hasTopic: (topic: string) => hub.hasTopic(topic),
    acceptUnknownSymbols: options.acceptUnknownSymbols,
    notOverWebSocket: options.notOverWebSocket
  }
  const orderRequests = new OrderRequests({
    publisher,
    log,
    names,
    coordination,
    enabled: options.takesOrders,
    baseCurrency: options.baseCurrency,
    maxPerSecond: options.maxOrdersPerSecond
  })
  const dialects = new Dialects(channels)
  const stream: StreamContext = {
    ...names,
    hub,
    dialects,
    publishing,
    acknowledging,
    orderRequests,
    connections,
    events,
    heartbeatMs: options.heartbeatMs,
    idleTimeoutMs: options.idleTimeoutMs,
    maxSubscriptions: options.maxSubscriptions,
    maxMessagesPerSecond: options.maxMessagesPerSecond,
    maxBufferedBytes: options.maxBufferedBytes,
    pageMessages: PAGE_MESSAGES,
    compression: options.compression,
    authenticationRequired: options.authenticationRequired,
    kernelQueues: new KernelQueues(options.heartbeatMs / 4),
    polls: new PollSessions(connections.registry),
    draining: draining.signal,
    verifyToken: token => app.authenticator.verify(token),
    identify: request => app.authenticator.identify(request),
    spendTicket: request => app.authenticator.spend(request),
    onError
  }
  const declare: Streaming['declare'] = async instruments => {
    requireTaken(await feed.declare(instruments), instruments.map(({ symbol }) => symbol))
  }
  const history: Streaming['history'] = (topic, request) => (
    readHistory(hub, dialects.native().writer, topic, request)
  )
  const bars: Streaming['bars'] = async request => {
    const { interval, symbol } = request
    const channel = channels.get(barsChannel(interval))!
    const refusal = await refuseUnknown(stream, channel, symbol)
    if (refusal !== undefined) throw new ProtocolError(refusal)
    const { shard, epoch, ...found } = await readBars(
      log, (...asked) => options.history.reader.recordedBars(...asked), request, () => hub.turns.take(request)
    )
    return { epoch: hub.epochTextWith(shard, epoch), ...found }
  }
  let ruleDemand: RuleDemand | undefined
  app.decorate('streaming', {
    log,
    coordination,
    channels,
    hub,
    counters,
    heatmaps: options.heatmaps,
    publisher,
    publishing,
    orderRequests,
    alerts: new AlertRules({ log, publisher, names: stream, maxRules: options.maxAlertRules }),
    ruleDemand: () => ruleDemand,
    connections,
    events,
    instruments: new OperatorInstruments(publisher, hub),
    sources,
    nodes,
    heartbeat,
    stream,
    history,
    bars,
    histories: options.history.reader,
    spelledSymbol: (channel, symbol) => spelledSymbol(stream, channel, symbol),
    declare,
    async undeclare (symbols) {
      requireTaken(await feed.undeclare(symbols), symbols)
    },
    disconnect: address => disconnect(coordination, address)
  })

  app.addHook('onError', async (request, _reply, error) => {
    const transport = request.routeOptions.config.transportOf?.(request) ?? 'http'
    const party = { transport, address: request.ip, user: app.authenticator.userOf(request) }
    events.refused(party, refusalOf(error).code)
  })
  app.addHook('onReady', async () => {
    await heartbeat.start()
    await declare(options.instruments)
    ruleDemand = await RuleDemand.follow({ log, channels, demand: hub.demand, onError })
    await sources.begin()
  })
  // Now the server knows where it listens.
  app.addHook('onListen', async () => { heartbeat.touch() })
  let isRecorderStopped = false
  app.addHook('preClose', async () => {
    // By itself it never ends.
    isRecorderStopped = sources.status().some(({ name, state }) => name === RECORDER && state === 'ended')
    draining.abort(new ProtocolError('going_away'))
    const left = heartbeat.close()
    await sources.close()
    connections.closeAll({ code: 'going_away', message: 'the server is going away' }, RECONNECT_SPREAD_MS)
    await left
    await sources.forget()
  })
  app.addHook('onClose', async () => {
    stopDisconnects()
    stopPositions()
    load.close()
    ruleDemand?.close()
    for (const demand of demands.values()) demand.end()
    hub.close()
    await options.history.close(isRecorderStopped)
    await options.compacted?.close()
    await Promise.all([log.close(), coordination.close()])
  })
}, { name: 'tickwire-streaming', fastify: '5.x', dependencies: ['tickwire-auth'] })

/** @throws ProtocolError for the first instrument that was refused */
function requireTaken (answers: ReadonlyArray<PublishResult | undefined>, symbols: readonly string[]): void {
  for (const [index, answer] of answers.entries()) {
    if (answer === undefined || !('code' in answer)) continue
    const symbol = JSON.stringify(symbols[index])
    throw new ProtocolError(answer.code, `the instrument ${symbol}: ${answer.message}`)
  }
}

/** Returns the address where a server listens; undefined before it does. */
function listensAt (app: FastifyInstance): string | undefined {
  const address = app.server.address() as AddressInfo | string | null
  if (address === null || typeof address === 'string') return undefined
  const literal = address.address.includes(':') ? `[${address.address}]` : address.address
  const host = ANY_HOST.has(address.address) ? hostname() : literal
  return `${'setSecureContext' in app.server ? 'https' : 'http'}://${host}:${address.port}`
}

const ANY_HOST: ReadonlySet<string> = new Set(['0.0.0.0', '::'])
