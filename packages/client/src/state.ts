import type { ErrorCode } from '@tickwire/protocol/error-policies'
import type { TransportName } from './transports/transport.js'

/**
 * - `idle`: nothing is subscribed, so there is no connection;
 * - `connecting`: the client opens a connection;
 * - `catching_up`: it is connected, and the server still sends what the client missed or begins with;
 * - `live`: the server sends messages as they come;
 * - `stale`: the connection is silent, and the client has asked whether the server is still there;
 * - `offline`: there is no connection, and the client waits before it tries again;
 * - `closed`: the client has stopped: the application closed it, or the server refused it for good.
 */
export type StateName = 'idle' | 'connecting' | 'catching_up' | 'live' | 'stale' | 'offline' | 'closed'

export interface State {
  readonly name: StateName
  /** Why, in words for people. */
  readonly reason?: string | undefined
  /** The error of the server's table that led here. */
  readonly code?: ErrorCode | undefined
  /** The transport of the connection. */
  readonly transport?: TransportName | undefined
  /** For `offline`: after how many milliseconds the client tries again. */
  readonly retryInMs?: number | undefined
}

/** The states that may follow each state. */
export const transitions: Readonly<Record<StateName, readonly StateName[]>> = {
  idle: ['connecting', 'closed'],
  connecting: ['catching_up', 'offline', 'idle', 'closed'],
  catching_up: ['live', 'stale', 'connecting', 'offline', 'idle', 'closed'],
  live: ['catching_up', 'stale', 'connecting', 'offline', 'idle', 'closed'],
  stale: ['catching_up', 'live', 'connecting', 'offline', 'idle', 'closed'],
  offline: ['connecting', 'idle', 'closed'],
  closed: ['connecting']
}
