import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import {
  alertRules, barsChannel, instruments as instrumentsChannel, ProtocolError, strategies, topicKey
} from '@tickwire/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AlertRules } from '../src/alerts/alert-rules.js'
import { rulesWant } from '../src/alerts/rule-wants.js'
import { refusePublish } from '../src/auth/permissions.js'
import { Acknowledging } from '../src/connection/acknowledging.js'
import { Connections } from '../src/connection/connections.js'
import { Events } from '../src/connection/events.js'
import { PAGE_MESSAGES } from '../src/connection/delivery/delivery.js'
import { answerDisconnects, disconnect } from '../src/connection/disconnect.js'
import { readHistory } from '../src/hub/catch-up/history.js'
import { Publishing } from '../src/connection/publishing.js'
import { refuseUnknown, spelledSymbol } from '../src/connection/selectors.js'
import { Dialects } from '../src/dialects/dialects.js'
import { errorFields } from '../src/errors.js'
import { Counters } from '../src/metrics/counters.js'
import type { Watch } from '../src/hub/audience/demand.js'
import { Hub } from '../src/hub/hub.js'
import { OperatorInstruments } from '../src/instruments/operator-instruments.js'
import { RECORDER } from '../src/history/history.js'
import { Heartbeat } from '../src/nodes/heartbeat.js'
import { LoadMeter } from '../src/nodes/load.js'
import { Nodes } from '../src/nodes/nodes.js'
import { readBars } from '../src/processors/bars/read-bars.js'
import { wantedBy } from '../src/processors/demand.js'
import { PublishRequests } from '../src/publisher/publish-requests.js'
import type { PublishResult } from '../src/publisher/publisher.js'
import { SourceSupervisor } from '../src/sources/supervisor.js'
import { Strategies } from '../src/strategies/strategies.js'
import { strategiesWant } from '../src/strategies/strategies-want.js'
import { OrderRequests } from '../src/trading-requests/order-requests.js'
import { PollSessions } from '../src/transports/poll/held-poll.js'
import { KernelQueues } from '../src/transports/sse/kernel-queues.js'
import type { StreamContext } from '../src/transports/stream-request.js'
import { ListDemand } from '../src/user-lists/list-demand.js'
import { version } from '../src/version.js'
import { refusalOf } from './errors.js'
import { monitoring } from './monitoring.js'
import { sourceFeed } from './source-feed.js'
import type { Streaming, StreamingOptions } from './streaming-parts.js'

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

/** How long the log may take to tell this server what it has. */
const HEARD_MS = 5000

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
  const ordering = {
    publisher,
    log,
    names,
    coordination,
    enabled: options.takesOrders,
    resetsAccounts: options.resetsAccounts,
    baseCurrency: options.baseCurrency,
    maxPerSecond: options.maxOrdersPerSecond,
    onLimited (user: string, max: number, windowMs: number) {
      connections.limited.note('orders', `user ${user}`, max, windowMs)
    }
  }
  const orderRequests = new OrderRequests({ ...ordering, verify: options.verifyOrders })
  // Users' strategies sign nothing.
  const ownRequests = new OrderRequests(ordering)
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
    const symbols = instruments.map(({ symbol }) => symbol)
    const results = await feed.declare(instruments)
    requireTaken(results, symbols)
    await untilKnown(hub, symbols, results)
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
  let ruleDemand: ListDemand | undefined
  let strategyDemand: ListDemand | undefined
  const monitored = monitoring({
    node: { ...node, version, started },
    log,
    coordination,
    hub,
    publisher,
    connections,
    acknowledging,
    nodes,
    store: options.monitorStore,
    sources: () => sources.status(),
    load: () => load.last,
    onError
  })
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
    orderOwn: async (user, order) => {
      await ownRequests.submit({ user, admin: false, trade: true }, { action: 'submit_order', ...order })
    },
    alerts: new AlertRules({ log, publisher, names: stream, maxRules: options.maxAlertRules }),
    ruleDemand: () => ruleDemand,
    strategies: new Strategies({
      ...options.strategies, names: stream, running: () => strategyDemand?.items ?? 0
    }),
    strategyDemand: () => strategyDemand,
    connections,
    monitoring: monitored,
    events,
    instruments: new OperatorInstruments(publisher, hub),
    sources,
    nodes,
    heartbeat,
    stream,
    history,
    bars,
    histories: options.history.reader,
    tradingReader: options.tradingRecords.reader(hub.turns),
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
    const lists = { log, channels, demand: hub.demand, onError }
    ruleDemand = await ListDemand.follow({ ...lists, channel: alertRules, wants: rulesWant })
    strategyDemand = await ListDemand.follow({
      ...lists, channel: strategies, wants: strategiesWant(options.strategies.registry)
    })
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
    strategyDemand?.close()
    for (const demand of demands.values()) demand.end()
    hub.close()
    await monitored.close()
    await options.tradingRecords.close()
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

/**
 * Waits until this server has heard of instruments that the log has: whoever declared them may publish and
 * subscribe at once. If the log falls silent meanwhile, it waits no longer.
 */
async function untilKnown (
  hub: Hub, symbols: readonly string[], results: readonly PublishResult[]
): Promise<void> {
  const isKnown = (symbol: string, index: number): boolean => {
    const result = results[index]!
    const last = hub.directory.last(topicKey({ channel: instrumentsChannel.name, symbol }))
    return 'code' in result || (last?.sequence ?? 0) >= result.sequence
  }
  const late = delay(HEARD_MS, true, { ref: false })
  while (!symbols.every(isKnown)) if (await Promise.race([hub.advanced(), late]) === true) return
}
