/** What the server says to operators (PROTOCOL.md, channel `monitor` and `/v1/admin`). */

/** What a node says of itself each second. */
export type { MonitorFigures as NodeFigures } from '@tickwire/protocol'

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
