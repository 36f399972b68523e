/**
 * The one table of errors (PROTOCOL.md, Errors and closing): the WebSocket close code, the HTTP status, and
 * what a client does about it. The server, the documentation and the clients' retry policy read it. A code is
 * never reused.
 */

/**
 * What a client does after an error:
 * - `stop`: it stops, because trying again cannot help;
 * - `reconnect`: it reconnects after `retry_after_ms`, if given, plus jitter;
 * - `backoff`: it reconnects with growing delays;
 * - `renew`: it gets a new token once, then stops.
 */
export type ClientPolicy = 'stop' | 'reconnect' | 'backoff' | 'renew'

export interface ErrorEntry {
  readonly close: number
  readonly status: number
  readonly client: ClientPolicy
  /** The text that the server sends when it has none that is more exact. */
  readonly message: string
}

export const errorTable = {
  going_away: {
    close: 1001,
    status: 503,
    client: 'reconnect',
    message: 'the server is going away; connect again'
  },
  message_too_big: {
    close: 1009,
    status: 413,
    client: 'stop',
    message: 'the message is larger than this server takes'
  },
  bad_request: {
    close: 4400,
    status: 400,
    client: 'stop',
    message: 'the request does not fit this protocol'
  },
  invalid_json: { close: 4400, status: 400, client: 'stop', message: 'the message is not JSON' },
  invalid_message: {
    close: 4400,
    status: 400,
    client: 'stop',
    message: 'the message does not fit its schema'
  },
  unknown_channel: { close: 4400, status: 400, client: 'stop', message: 'there is no such channel' },
  unknown_symbol: { close: 4400, status: 400, client: 'stop', message: 'there is no such symbol' },
  bad_cursor: {
    close: 4400,
    status: 400,
    client: 'stop',
    message: 'this is not a cursor that a server gave'
  },
  not_throttleable: {
    close: 4400,
    status: 400,
    client: 'stop',
    message: 'this channel cannot be throttled: its messages cannot be conflated'
  },
  unauthorized: { close: 4401, status: 401, client: 'renew', message: 'a valid token is needed' },
  forbidden: { close: 4403, status: 403, client: 'stop', message: 'the token does not permit this' },
  not_found: { close: 4404, status: 404, client: 'stop', message: 'there is nothing here' },
  disabled: {
    close: 4410,
    status: 503,
    client: 'stop',
    message: 'the operator of this server has switched this off here'
  },
  idle_timeout: {
    close: 4408,
    status: 408,
    client: 'reconnect',
    message: 'the server heard nothing for too long'
  },
  replaced: { close: 4409, status: 409, client: 'stop', message: 'a newer connection took over' },
  conflict: {
    close: 4409,
    status: 409,
    client: 'stop',
    message: 'an earlier request with other contents has the same id'
  },
  rate_limited: { close: 4429, status: 429, client: 'reconnect', message: 'too many requests; slow down' },
  too_many_connections: { close: 4429, status: 429, client: 'reconnect', message: 'too many connections' },
  // Waiting lifts the limits above, but not this one. So it has a close code of its own: the close code alone
  // must tell a client what to do.
  too_many_subscriptions: { close: 4413, status: 429, client: 'stop', message: 'too many subscriptions' },
  internal: { close: 4500, status: 500, client: 'backoff', message: 'the server failed' },
  overloaded: {
    close: 4503,
    status: 503,
    client: 'reconnect',
    message: 'the server has no room for this now'
  },
  log_unavailable: { close: 4503, status: 503, client: 'reconnect', message: 'the log cannot be reached now' }
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorTable

export const errorCodes = Object.keys(errorTable) as ErrorCode[]

/** A refusal with its code in the table; its message is meant for the client. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'

  constructor (
    readonly code: ErrorCode,
    message: string = errorTable[code].message,
    readonly retryAfterMs?: number
  ) {
    super(message)
  }

  /** The HTTP status. Fastify and others answer with it if nobody sets an error handler. */
  get statusCode (): number {
    return errorTable[this.code].status
  }
}
