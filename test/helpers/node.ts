import { type Channels, standardChannels } from '@tickwire/protocol'
import { ANONYMOUS } from '../../src/auth/identity.js'
import { Acknowledging } from '../../src/connection/acknowledging.js'
import { Connection } from '../../src/connection/connection.js'
import type { ConnectionContext } from '../../src/connection/connection-context.js'
import { Connections } from '../../src/connection/connections.js'
import { Events } from '../../src/connection/events.js'
import { PAGE_MESSAGES } from '../../src/connection/delivery/delivery.js'
import { Publishing } from '../../src/connection/publishing.js'
import { Publisher } from '../../src/publisher/publisher.js'
import { PublishRequests } from '../../src/publisher/publish-requests.js'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import { OrderRequests } from '../../src/trading-requests/order-requests.js'
import { Hub } from '../../src/hub/hub.js'
import { Counters } from '../../src/metrics/counters.js'
import type { Retention } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import type { MemoryWire } from './memory-wire.js'

/** A node without a network: memory log, hub and connections, as the server puts them together. */
export interface Node {
  readonly log: MemoryLog
  readonly hub: Hub
  readonly errors: unknown[]
  connect (wire: MemoryWire): Connection
  close (): Promise<void>
}

export interface NodeOptions {
  /** Default: the standard ones. */
  readonly channels?: Channels
  readonly retention?: Partial<Retention>
  readonly shards?: number
  readonly flushMs?: number
  /** Bound of the recent entries: small, and a catch-up must read the log. */
  readonly recentBytes?: number
  readonly heartbeatMs?: number
  readonly maxBufferedBytes?: number
  /** How long a shard is followed on for nobody. */
  readonly lingerMs?: number
  /** Messages of the log that a catch-up reads at a time. */
  readonly pageMessages?: number
}

export async function startNode (options: NodeOptions = {}): Promise<Node> {
  const {
    channels = standardChannels,
    retention,
    shards = 1,
    flushMs = 0,
    recentBytes = 1 << 20,
    heartbeatMs = 25_000,
    maxBufferedBytes = 65_536,
    pageMessages = PAGE_MESSAGES,
    lingerMs
  } = options
  const log = new MemoryLog({
    channels,
    shards,
    retention: { messages: 1000, seconds: 3600, bytes: 1 << 26, ...retention },
    maxTopics: 2000
  })
  const errors: unknown[] = []
  const onError = (error: unknown): void => { errors.push(error) }
  const hub = new Hub({
    log,
    channels,
    flushMs,
    recentBytes,
    counters: new Counters(),
    onError,
    ...(lingerMs === undefined ? {} : { lingerMs })
  })
  await hub.start()
  const connections = new Connections({
    maxConnections: 100_000,
    maxConnectionsPerIp: 100_000,
    maxConnectionsPerUser: 100_000
  }, heartbeatMs)
  const events = new Events({ info () {}, debug () {} })
  const publisher = new Publisher({ log, channels })
  const requests = new PublishRequests(publisher, channels, 65_536)
  const names = {
    channels,
    directory: hub.directory,
    membership: hub.membership,
    hasTopic: (topic: string) => hub.hasTopic(topic),
    acceptUnknownSymbols: true,
    notOverWebSocket: new Set<string>()
  }
  const coordination = new MemoryCoordination()
  const context: ConnectionContext = {
    ...names,
    hub,
    connections,
    events,
    publishing: new Publishing(requests, events, () => () => undefined),
    acknowledging: new Acknowledging(hub, publisher, { channels }),
    orderRequests: new OrderRequests({
      publisher, log, names, coordination, enabled: true, baseCurrency: 'USD', maxPerSecond: 1_000_000
    }),
    heartbeatMs,
    idleTimeoutMs: 2 * heartbeatMs,
    maxSubscriptions: 1000,
    maxMessagesPerSecond: 1_000_000,
    maxBufferedBytes,
    pageMessages,
    authenticationRequired: false,
    verifyToken: async () => ANONYMOUS,
    onError
  }
  let opened = 0
  return {
    log,
    hub,
    errors,
    connect (wire) {
      const connection = new Connection(`c${++opened}`, '127.0.0.1', context, wire, connections.reserve('test'))
      connection.welcome()
      return connection
    },
    async close () {
      connections.closeAll({ code: 'going_away', message: 'the test is over' }, 0)
      hub.close()
      await Promise.all([log.close(), coordination.close()])
    }
  }
}

/** Turns of the event loop: enough for windows to be passed on and for what follows from them. */
export async function ticks (count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => { setImmediate(resolve) })
}
