import type { ChannelDefinition, Channels, Instrument, SubmitOrder } from '@tickwire/protocol'
import type { AlertRules } from '../src/alerts/alert-rules.js'
import type { Connections } from '../src/connection/connections.js'
import type { Events } from '../src/connection/events.js'
import type { ConnectionLimits } from '../src/connection/connection-quota.js'
import type { Address } from '../src/connection/registry.js'
import type { HistoryAnswer, HistoryRequest } from '../src/hub/catch-up/history.js'
import type { Publishing } from '../src/connection/publishing.js'
import type { Counters } from '../src/metrics/counters.js'
import type { HeatmapCounters } from '../src/metrics/heatmap-counters.js'
import type { Hub } from '../src/hub/hub.js'
import type { OperatorInstruments } from '../src/instruments/operator-instruments.js'
import type { Log } from '../src/log/log.js'
import type { History } from '../src/history/history.js'
import type { HistoryReader } from '../src/history/history-reader.js'
import type { MonitorStore } from '../src/monitor/monitor-store.js'
import type { Heartbeat } from '../src/nodes/heartbeat.js'
import type { Nodes } from '../src/nodes/nodes.js'
import type { BarsRequest } from '../src/processors/bars/read-bars.js'
import type { Flow } from '../src/processors/demand.js'
import type { Publisher } from '../src/publisher/publisher.js'
import type { Source } from '../src/sources/source.js'
import type { SourceSupervisor } from '../src/sources/supervisor.js'
import type { TradingReader } from '../src/trading-records/reader.js'
import type { TradingRecords } from '../src/trading-records/trading-records.js'
import type { Strategies, StrategiesOptions } from '../src/strategies/strategies.js'
import type { OrderRequests, VerifyRequest } from '../src/trading-requests/order-requests.js'
import type { CompactedTopics } from '../src/store/compacted-topics.js'
import type { Coordination } from '../src/coordination/coordination.js'
import type { StreamContext } from '../src/transports/stream-request.js'
import type { ListDemand } from '../src/user-lists/list-demand.js'
import type { Monitoring } from './monitoring.js'

/** What the streaming of a server is given. */
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
  /** The records of trading; closed with the streaming. */
  readonly tradingRecords: TradingRecords
  /** Where the past of connections is kept; closed with the streaming. */
  readonly monitorStore: MonitorStore | undefined
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
  readonly strategies: Pick<StrategiesOptions, 'registry' | 'records' | 'most' | 'mayTrade'>
  /** Whether there is an exchange. */
  readonly takesOrders: boolean
  /** Whether users may begin their accounts anew. */
  readonly resetsAccounts: boolean
  /** Requests about orders that a user may send. */
  readonly maxOrdersPerSecond: number
  /** The currency of an instrument that names none. */
  readonly baseCurrency: string
  /** Verifies the signatures of requests about orders. */
  readonly verifyOrders: VerifyRequest
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
  /** Hands an order of a user's strategy to the exchange. @throws ProtocolError why it was refused */
  orderOwn (user: string, order: Omit<SubmitOrder, 'action'>): Promise<void>
  /** The alert rules of users. */
  readonly alerts: AlertRules
  /** What alert rules demand; undefined before the server is ready. */
  ruleDemand (): ListDemand | undefined
  /** The strategies that users have started. */
  readonly strategies: Strategies
  /** What they demand; undefined before the server is ready. */
  strategyDemand (): ListDemand | undefined
  readonly connections: Connections
  readonly monitoring: Monitoring
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
  /** Reads orders, fills and accounts. */
  readonly tradingReader: TradingReader
}

export interface BarsAnswer {
  /** As in {@link HistoryAnswer}. */
  readonly epoch: string
  /** After it a subscription goes on. */
  readonly sequence: number
  /** As JSON text, oldest first. */
  readonly bars: readonly string[]
}
