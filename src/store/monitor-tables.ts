import { table } from './table.js'

const traffic = {
  messages_sent: 'integer',
  bytes_sent: 'integer',
  messages_received: 'integer',
  bytes_received: 'integer'
} as const

/**
 * The tables of the monitor: what operators want to know of the past. Their rows go after a while (see
 * `forgetMonitored` of monitor-rows.ts). Versions are times of the server that writes, which never gives one
 * twice.
 */
export const monitorTables = {
  /**
   * Connections of all nodes and transports, polls aside. A row is written soon after the beginning, each
   * minute, and at the end. `disconnect_code` is the close code, `disconnect_reason` why the server closed
   * it, as the table of errors names it.
   */
  websocket_connections: table({
    columns: {
      connection_id: 'text',
      user_id: 'text?',
      transport: 'text',
      node: 'text',
      node_name: 'text',
      address: 'text',
      connected_at: 'integer',
      last_heartbeat: 'integer',
      disconnected_at: 'integer?',
      disconnect_code: 'integer?',
      disconnect_reason: 'text?',
      ...traffic,
      updated_at: 'integer'
    },
    key: ['connection_id'],
    version: ['updated_at']
  }),
  /** What these subscribed to. `symbols` is a JSON array; null for a channel without symbols. */
  websocket_subscriptions: table({
    columns: {
      connection_id: 'text',
      subscription_id: 'text',
      channel: 'text',
      symbols: 'text?',
      throttle_ms: 'integer',
      depth: 'integer',
      since: 'integer',
      until: 'integer?',
      updated_at: 'integer'
    },
    key: ['connection_id', 'subscription_id'],
    version: ['updated_at']
  }),
  /**
   * What a node sent in a minute, by channel; `*` is the whole. Percentiles are of the time from the log to
   * the socket, in microseconds. `lost`, in the row of `*`: how many rows of these tables the node has lost
   * in that minute. `started`: when the node started.
   */
  websocket_metrics: table({
    columns: {
      node: 'text',
      minute: 'integer',
      channel: 'text',
      node_name: 'text',
      started: 'integer',
      messages: 'integer',
      bytes: 'integer',
      p50: 'integer?',
      p95: 'integer?',
      p99: 'integer?',
      lost: 'integer',
      updated_at: 'integer'
    },
    key: ['node', 'minute', 'channel'],
    version: ['updated_at']
  }),
  /**
   * Who was limited: `kind` is of what (requests, messages, connections, orders), `key_kind` says whether
   * `key_value` is a user or an address. `count` times since `since`, by a limit of `max` in `window_ms`; 0:
   * at a time.
   */
  rate_limits: table({
    columns: {
      node: 'text',
      kind: 'text',
      key_kind: 'text',
      key_value: 'text',
      since: 'integer',
      count: 'integer',
      max: 'integer',
      window_ms: 'integer',
      last_at: 'integer'
    },
    key: ['node', 'kind', 'key_kind', 'key_value', 'since'],
    version: ['last_at', 'count']
  })
}

export const monitorTableNames = Object.keys(monitorTables) as ReadonlyArray<keyof typeof monitorTables>
