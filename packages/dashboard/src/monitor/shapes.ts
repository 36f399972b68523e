/** What the server says to operators (PROTOCOL.md, channel `monitor` and `/v1/admin`). */

export interface TransportFigures {
  readonly transport: string
  readonly connections: number
  readonly messages_per_second: number
  readonly bytes_per_second: number
  readonly received_per_second: number
  readonly lagging: number
}

/** What a node says of itself each second. */
export interface NodeFigures {
  readonly node: string
  readonly name: string
  readonly version: string
  readonly started: string
  readonly time: string
  readonly users: number
  readonly subscriptions: number
  readonly transports: readonly TransportFigures[]
  readonly channels: ReadonlyArray<{
    readonly channel: string
    readonly messages_per_second: number
    readonly bytes_per_second: number
  }>
  readonly latency: {
    readonly count: number
    readonly p50_ms?: number
    readonly p95_ms?: number
    readonly p99_ms?: number
  }
  readonly slow_readers: number
  readonly lagging: number
  readonly unsent_bytes: number
  readonly overdue: ReadonlyArray<{
    readonly channel: string
    readonly users: number
    readonly oldest_seconds: number
  }>
  readonly log: {
    readonly kind: string
    readonly available: boolean
    readonly latency_ms?: number
    readonly topics: number
  }
  readonly redis?: { readonly available: boolean, readonly latency_ms?: number }
  readonly sources: ReadonlyArray<{ readonly source: string, readonly state: string }>
  readonly processors: ReadonlyArray<{ readonly processor: string, readonly state: string }>
  readonly store: {
    readonly state: string
    readonly waiting: number
    readonly dropped: number
    readonly refused: number
    readonly complete: boolean
  }
  readonly event_loop_delay_ms: number
  readonly cpu: number
  readonly memory_bytes: number
}

export interface ConnectionRow {
  readonly connection_id: string
  readonly transport: string
  readonly user_id: string | null
  readonly node: string
  readonly name: string
  readonly address: string
  readonly connected_at: string
  readonly last_heartbeat: string
  readonly state: string
  readonly selectors: number
  readonly messages_sent: number
  readonly bytes_sent: number
  readonly messages_received: number
  readonly bytes_received: number
  readonly lagging: boolean
  readonly unsent_bytes: number
  readonly unacknowledged: number | null
  readonly disconnected_at?: string | null
  readonly disconnect_code?: number | null
  readonly disconnect_reason?: string | null
}

export interface ConnectionsAnswer {
  readonly connections: readonly ConnectionRow[]
  readonly total: number
  readonly complete: boolean
  readonly missing: ReadonlyArray<{ readonly name: string }>
}

export interface ConnectionEvent {
  readonly time: string
  readonly event: string
  readonly [field: string]: unknown
}

export interface ConnectionDetails extends ConnectionRow {
  readonly subscriptions: ReadonlyArray<{
    readonly subscription_id: string
    readonly channel: string
    readonly symbols?: readonly string[]
    readonly throttle_ms?: number
    readonly depth?: number
    readonly since: string
  }>
  readonly omitted_symbols: number
  readonly events: readonly ConnectionEvent[]
  readonly omitted_events: number
}

export interface MetricsAnswer {
  readonly complete: boolean
  readonly minutes: ReadonlyArray<{
    readonly minute: string
    readonly node: string
    readonly messages: number
    readonly bytes: number
    readonly p50_ms: number | null
    readonly p95_ms: number | null
    readonly p99_ms: number | null
  }>
}
