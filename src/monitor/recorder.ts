import type {
  ConnectionLedger, EndedConnection, LedgerSink, Observed
} from '../connection/connection-ledger.js'
import type { SubscribedGroup } from '../connection/connection-record.js'
import type { LimitedCallers } from '../connection/limited-callers.js'
import type { Counters } from '../metrics/counters.js'
import { type Percentiles, Latencies } from '../metrics/latencies.js'
import {
  type ConnectionRow, EVERY_CHANNEL, type MinuteRow, type SubscriptionRow
} from '../store/monitor-rows.js'
import type { Store } from '../store/store.js'
import type { MonitorStore } from './monitor-store.js'
import { type NodeName, shownAddress } from './views.js'

const TICK_MS = 1000
export const MINUTE_MS = 60_000
const FORGET_EVERY_MS = 3_600_000
/** How often a row of an open connection is written. */
const REWRITE_MS = 60_000
/** Rows of connections that are handed to the store at a time: the stream goes on between two ticks. */
const ROWS_PER_TICK = 1000
/** What waits here for a tick, or for a store that is not open yet; beyond that the oldest rows are lost. */
const MAX_WAITING = 20_000
/** The same for figures of minutes: those of half a day. */
const MAX_MINUTES = 10_000

export interface RecorderOptions {
  readonly store: MonitorStore
  readonly ledger: ConnectionLedger
  readonly counters: Counters
  readonly limited: LimitedCallers
  readonly node: NodeName
  /** When the node started, in milliseconds since 1970. */
  readonly started: number
  readonly onError: (error: unknown, message: string) => void
  readonly now?: () => number
}

/** An address, or what stands for those of one IPv6 network; a proxy may name a client by any text. */
const ADDRESS_GROUP = /^[\da-f:.]{1,64}$/i

/** Rows that wait, within a bound. */
class Waiting<Row> {
  private rows: Row[] = []

  constructor (private readonly max: number, private readonly onLost: (rows: number) => void) {}

  add (rows: readonly Row[]): void {
    for (const row of rows) this.rows.push(row)
    const beyond = this.rows.length - this.max
    if (beyond <= 0) return
    this.rows = this.rows.slice(beyond)
    this.onLost(beyond)
  }

  take (count = Infinity): Row[] {
    return this.rows.splice(0, count)
  }
}

/**
 * Writes to the store what operators want to know of the past: connections, what they subscribed to, the
 * figures of each minute, and who was limited. It looks once a second at what has changed, hands a bounded
 * part of it to the store, and waits for nothing.
 */
export class MonitorRecorder implements LedgerSink {
  private readonly connections: Waiting<ConnectionRow>
  private readonly subscriptions: Waiting<SubscriptionRow>
  private readonly minutes: Waiting<MinuteRow>
  private readonly ticker: NodeJS.Timeout
  private readonly forgetter: NodeJS.Timeout
  private minute: number
  /** Counts at the end of the last minute, by channel. */
  private readonly before = new Map<string, { messages: number, bytes: number }>()
  private lostBefore = 0
  private lastVersion = 0
  private readonly now: () => number

  constructor (private readonly options: RecorderOptions) {
    const { now = Date.now, store, ledger } = options
    this.now = now
    const onLost = (rows: number): void => { store.lose(rows) }
    this.connections = new Waiting(MAX_WAITING, onLost)
    this.subscriptions = new Waiting(MAX_WAITING, onLost)
    this.minutes = new Waiting(MAX_MINUTES, onLost)
    this.minute = minuteOf(now())
    ledger.sink = this
    this.ticker = setInterval(() => { this.attempt(() => { this.tick() }) }, TICK_MS).unref()
    this.forgetter = setInterval(() => { void this.forget() }, FORGET_EVERY_MS).unref()
    void this.forget()
  }

  ended (connection: EndedConnection): void {
    if (!this.isNeeded) return
    const { user, endedAt, code, reason } = connection
    this.subscriptionsEnded(connection, connection.record.storable, endedAt)
    this.connections.add([{
      ...this.row(connection, user),
      disconnected_at: endedAt,
      disconnect_code: code,
      disconnect_reason: reason
    }])
  }

  subscriptionsEnded ({ id }: Pick<Observed, 'id'>, groups: readonly SubscribedGroup[], at: number): void {
    if (this.isNeeded) this.subscriptions.add(groups.map(group => this.subscriptionRow(id, group, at)))
  }

  /** Hands everything to the store, with the figures of the minute that is not over. */
  close (): void {
    clearInterval(this.ticker)
    clearInterval(this.forgetter)
    this.options.ledger.sink = undefined
    this.attempt(() => {
      this.endMinute()
      const { current } = this.options.store
      if (current !== undefined) this.write(current, Infinity)
    })
  }

  /** Looks at what has changed. Called once a second. */
  tick (): void {
    const { current } = this.options.store
    if (minuteOf(this.now()) !== this.minute) this.endMinute()
    if (current !== undefined) this.write(current, ROWS_PER_TICK)
  }

  /** Whether what ends now must be kept: there is a store, or there will be. */
  private get isNeeded (): boolean {
    const { store } = this.options
    return store.isExpected || store.current !== undefined
  }

  private write (store: Store, room: number): void {
    const ended = this.connections.take(room)
    store.write('websocket_connections', [...ended, ...this.dueConnections(room - ended.length)])
    store.write('websocket_subscriptions', this.subscriptions.take(room))
    store.write('websocket_metrics', this.minutes.take())
    for (const { keyKind, key, lastAt, windowMs, kind, since, count, max } of this.options.limited.take()) {
      store.write('rate_limits', {
        node: this.options.node.id,
        kind,
        key_kind: keyKind,
        key_value: keyKind === 'user' || ADDRESS_GROUP.test(key) ? key : 'unreadable',
        since,
        count,
        max,
        window_ms: windowMs,
        last_at: lastAt
      })
    }
  }

  /** Returns rows of open connections whose last row is old, or that have none. */
  private dueConnections (room: number): ConnectionRow[] {
    const rows: ConnectionRow[] = []
    const now = this.now()
    for (const connection of this.options.ledger.open) {
      if (rows.length >= room) break
      const { record, transportName } = connection
      if (transportName === 'poll') continue
      const fresh = record.takeUnstored()
      if (fresh.length > 0) {
        this.subscriptions.add(fresh.map(group => this.subscriptionRow(connection.id, group, null)))
      }
      if (now - record.storedAt < REWRITE_MS) continue
      record.storedAt = now
      rows.push(this.row(connection, connection.identity.user))
    }
    return rows
  }

  private row (
    { id, transportName, address, openedAt, heardAt, record }: Observed | EndedConnection,
    user: string | undefined
  ): ConnectionRow {
    const { node } = this.options
    return {
      connection_id: id,
      user_id: user ?? null,
      transport: transportName,
      node: node.id,
      node_name: node.name,
      address: shownAddress(address),
      connected_at: openedAt,
      last_heartbeat: heardAt,
      disconnected_at: null,
      disconnect_code: null,
      disconnect_reason: null,
      messages_sent: record.messagesSent,
      bytes_sent: record.bytesSent,
      messages_received: record.messagesReceived,
      bytes_received: record.bytesReceived,
      updated_at: this.version()
    }
  }

  private subscriptionRow (
    connection: string,
    { id, channel, symbols, throttleMs, depth, since }: SubscribedGroup,
    until: number | null
  ): SubscriptionRow {
    return {
      connection_id: connection,
      subscription_id: id,
      channel,
      symbols: symbols === undefined ? null : JSON.stringify(symbols),
      throttle_ms: throttleMs,
      depth,
      since,
      until,
      updated_at: this.version()
    }
  }

  /** Ends the present minute: its figures are what was counted since the last one. */
  private endMinute (): void {
    const { counters, store } = this.options
    const { minute } = this
    this.minute = minuteOf(this.now())
    const whole = { messages: 0, bytes: 0 }
    for (const [, { messages, bytes }] of counters.all()) {
      whole.messages += messages
      whole.bytes += bytes
    }
    const all = new Latencies()
    const rows: MinuteRow[] = []
    for (const [channel, counted] of counters.allChannels()) {
      const { latencies } = counted
      all.addAll(latencies)
      const row = this.minuteRow(minute, channel, counted, latencies.percentiles(), 0)
      latencies.reset()
      if (row.messages > 0) rows.push(row)
    }
    const { lost } = store
    // The first, so that it is the first to be dropped: then the minute is seen to be incomplete.
    rows.unshift(this.minuteRow(minute, EVERY_CHANNEL, whole, all.percentiles(), lost - this.lostBefore))
    this.lostBefore = lost
    if (this.isNeeded) this.minutes.add(rows)
  }

  private minuteRow (
    minute: number,
    channel: string,
    { messages, bytes }: { readonly messages: number, readonly bytes: number },
    percentiles: Percentiles | undefined,
    lost: number
  ): MinuteRow {
    const { node, started } = this.options
    const before = this.before.get(channel) ?? { messages: 0, bytes: 0 }
    this.before.set(channel, { messages, bytes })
    const microseconds = (ms: number | undefined): number | null =>
      ms === undefined ? null : Math.round(ms * 1000)
    return {
      node: node.id,
      minute,
      channel,
      node_name: node.name,
      started,
      messages: messages - before.messages,
      bytes: bytes - before.bytes,
      p50: microseconds(percentiles?.p50),
      p95: microseconds(percentiles?.p95),
      p99: microseconds(percentiles?.p99),
      lost,
      updated_at: this.version()
    }
  }

  /** Returns the time, never twice the same: the newer of two rows is then known. */
  private version (): number {
    this.lastVersion = Math.max(this.now(), this.lastVersion + 1)
    return this.lastVersion
  }

  private async forget (): Promise<void> {
    const { current, keepMs } = this.options.store
    try {
      await current?.forgetMonitored(this.now() - keepMs)
    } catch {
      // There is no hurry: next time.
    }
  }

  private attempt (work: () => void): void {
    try {
      work()
    } catch (error) {
      this.options.onError(error, 'the monitor could not keep its figures')
    }
  }
}

export const minuteOf = (time: number): number => Math.floor(time / MINUTE_MS) * MINUTE_MS
