import { performance } from 'node:perf_hooks'
import type { MonitorFigures } from '@tickwire/protocol'
import type { ConnectionLedger } from '../connection/connection-ledger.js'
import { isoTime } from '../hub/iso-time.js'
import type { Log } from '../log/log.js'
import type { Counters } from '../metrics/counters.js'
import type { NodeRecord } from '../nodes/schema.js'
import type { SourceState } from '../sources/leased-source.js'
import type { MonitorStore } from './monitor-store.js'
import type { NodeName } from './views.js'

/** The sources that are processors are named so. */
const PROCESSOR = 'processor:'
/** A log that takes longer to answer has no latency that tells anything. */
const PATIENCE_MS = 900
/** The shard that is asked how fast the log is. */
const ASKED_SHARDS = [0]

export interface FiguresOptions {
  readonly node: NodeName & { readonly version: string, readonly started: string }
  readonly ledger: ConnectionLedger
  readonly counters: Counters
  readonly log: Pick<Log, 'head'>
  readonly logKind: MonitorFigures['log']['kind']
  readonly isLogAvailable: () => boolean
  /** How many topics the node knows. */
  readonly topics: () => number
  readonly sources: () => ReadonlyArray<{ readonly name: string, readonly state: SourceState }>
  readonly load: () => NodeRecord['load']
  readonly store: MonitorStore | undefined
}

/** What was counted since the start, at some time. */
interface Counts {
  readonly messages: number
  readonly bytes: number
  readonly received: number
  readonly receivedBytes: number
}

const NOTHING: Counts = { messages: 0, bytes: 0, received: 0, receivedBytes: 0 }

/** Takes the figures of a node: of what was counted, how much a second since they were last taken. */
export class Figures {
  private takenAt = performance.now()
  private transports: ReadonlyMap<string, Counts>
  private channels: ReadonlyMap<string, Counts>

  constructor (private readonly options: FiguresOptions) {
    this.transports = this.countTransports()
    this.channels = this.countChannels()
  }

  /** Begins to count anew, because nobody has looked for a while. */
  restart (): void {
    this.takenAt = performance.now()
    this.transports = this.countTransports()
    this.channels = this.countChannels()
    this.options.counters.latencies.reset()
  }

  async take (): Promise<MonitorFigures> {
    const { node, counters, topics, isLogAvailable, logKind, load } = this.options
    const logLatency = await this.askLog()
    // From here on in one turn, so that the figures fit together.
    const latency = {
      available: isLogAvailable(), ...(logLatency === undefined ? {} : { latency_ms: rounded(logLatency) })
    }
    const now = performance.now()
    const intervalMs = Math.max(1, now - this.takenAt)
    this.takenAt = now
    const { cpu, memory_bytes: memory, event_loop_delay_ms: delay } = load()
    const sources = this.options.sources()
    return {
      node: node.id,
      name: node.name,
      version: node.version,
      started: node.started,
      time: isoTime(Date.now()),
      interval_ms: rounded(intervalMs),
      subscriptions: counters.subscriptions,
      ...this.takeTransports(intervalMs / 1000),
      channels: this.takeChannels(intervalMs / 1000),
      latency: this.takeLatency(),
      ...this.readers(),
      overdue: Array.from(counters.overdue, ([channel, { users, since }]) => ({
        channel,
        users,
        oldest_seconds: since === undefined ? 0 : rounded(Math.max(0, Date.now() - since) / 1000)
      })),
      log: { kind: logKind, ...latency, topics: topics() },
      ...(logKind === 'redis' ? { redis: latency } : {}),
      sources: sources.filter(({ name }) => !name.startsWith(PROCESSOR))
        .map(({ name: source, state }) => ({ source, state })),
      processors: sources.filter(({ name }) => name.startsWith(PROCESSOR))
        .map(({ name, state }) => ({ processor: name.slice(PROCESSOR.length), state })),
      store: this.storeHealth(),
      event_loop_delay_ms: delay,
      cpu,
      memory_bytes: memory
    }
  }

  private takeTransports (seconds: number): Pick<MonitorFigures, 'transports' | 'lagging'> {
    const before = this.transports
    this.transports = this.countTransports()
    let laggingOfAll = 0
    const transports = Array.from(this.options.counters.all(), ([transport, { opened, closed, lagging }]) => {
      const counts = this.transports.get(transport)!
      const then = before.get(transport) ?? NOTHING
      laggingOfAll += lagging
      return {
        transport,
        connections: opened - closed,
        ...sent(counts, then, seconds),
        received_per_second: rounded((counts.received - then.received) / seconds),
        received_bytes_per_second: rounded((counts.receivedBytes - then.receivedBytes) / seconds),
        received_total: counts.received,
        received_bytes_total: counts.receivedBytes,
        lagging
      }
    })
    return { transports, lagging: laggingOfAll }
  }

  private takeChannels (seconds: number): MonitorFigures['channels'] {
    const before = this.channels
    this.channels = this.countChannels()
    return Array.from(this.channels, ([channel, counts]) => (
      { channel, ...sent(counts, before.get(channel) ?? NOTHING, seconds) }))
  }

  private takeLatency (): MonitorFigures['latency'] {
    const { latencies } = this.options.counters
    const { count } = latencies
    const percentiles = latencies.percentiles()
    latencies.reset()
    if (percentiles === undefined) return { count }
    return { count, p50_ms: percentiles.p50, p95_ms: percentiles.p95, p99_ms: percentiles.p99 }
  }

  private readers (): Pick<MonitorFigures, 'users' | 'slow_readers' | 'unsent_bytes'> {
    const users = new Set<string>()
    let slowReaders = 0
    let unsentBytes = 0
    for (const { identity: { user }, unsent } of this.options.ledger.open) {
      if (user !== undefined) users.add(user)
      if (unsent > 0) slowReaders++
      unsentBytes += unsent
    }
    return { users: users.size, slow_readers: slowReaders, unsent_bytes: unsentBytes }
  }

  private storeHealth (): MonitorFigures['store'] {
    const { store } = this.options
    const state = store?.current?.health().state ?? (store?.isExpected === true ? 'unavailable' : 'none')
    const counts = store?.counts ?? { waiting: 0, dropped: 0, refused: 0 }
    return { state, ...counts, complete: counts.dropped + counts.refused === 0 }
  }

  /** Returns how long the log takes to answer, in milliseconds; undefined if it does not. */
  private async askLog (): Promise<number | undefined> {
    const before = performance.now()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>(resolve => { timer = setTimeout(resolve, PATIENCE_MS, false).unref() })
    const answered = this.options.log.head(ASKED_SHARDS).then(() => true, () => false)
    const isInTime = await Promise.race([answered, late])
    clearTimeout(timer)
    return isInTime ? performance.now() - before : undefined
  }

  private countTransports (): ReadonlyMap<string, Counts> {
    return new Map(Array.from(this.options.counters.all(), (
      [transport, { messages, bytes, received, receivedBytes }]
    ) => [transport, { messages, bytes, received, receivedBytes }]))
  }

  private countChannels (): ReadonlyMap<string, Counts> {
    const sent = [...this.options.counters.allChannels()].filter(([, { messages }]) => messages > 0)
    return new Map(sent.map(([channel, { messages, bytes }]) => [channel, { ...NOTHING, messages, bytes }]))
  }
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000

const sent = (
  { messages, bytes }: Counts, then: Counts, seconds: number
): Omit<MonitorFigures['channels'][number], 'channel'> => ({
  messages_per_second: rounded((messages - then.messages) / seconds),
  bytes_per_second: rounded((bytes - then.bytes) / seconds),
  messages_total: messages,
  bytes_total: bytes
})
