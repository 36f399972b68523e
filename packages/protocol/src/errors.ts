import { type ClientPolicy, type ErrorCode, errorPolicies } from './error-policies.js'

export type { ClientPolicy, ErrorCode } from './error-policies.js'

/**
 * The one table of errors (PROTOCOL.md, Errors and closing): the WebSocket close code, the HTTP status, and
 * what a client does about it. The server, the documentation and the clients' retry policy read it. A code is
 * never reused.
 */

export interface ErrorEntry {
  readonly close: number
  readonly status: number
  readonly client: ClientPolicy
  /** The text that the server sends when it has none that is more exact. */
  readonly message: string
}

const messages: Readonly<Record<ErrorCode, string>> = {
  going_away: 'the server is going away; connect again',
  message_too_big: 'the message is larger than this server takes',
  bad_request: 'the request does not fit this protocol',
  invalid_json: 'the message is not JSON',
  invalid_message: 'the message does not fit its schema',
  unknown_channel: 'there is no such channel',
  unknown_symbol: 'there is no such symbol',
  bad_cursor: 'this is not a cursor that a server gave',
  not_throttleable: 'this channel cannot be throttled: its messages cannot be conflated',
  unauthorized: 'a valid token is needed',
  forbidden: 'the token does not permit this',
  not_found: 'there is nothing here',
  disabled: 'the operator of this server has switched this off here',
  idle_timeout: 'the server heard nothing for too long',
  replaced: 'a newer connection took over',
  conflict: 'an earlier request with other contents has the same id',
  rate_limited: 'too many requests; slow down',
  too_many_connections: 'too many connections',
  too_many_subscriptions: 'too many subscriptions',
  internal: 'the server failed',
  overloaded: 'the server has no room for this now',
  log_unavailable: 'the log cannot be reached now'
}

export const errorCodes = Object.keys(errorPolicies) as ErrorCode[]

export const errorTable = Object.fromEntries(errorCodes.map(code => {
  const [close, status, client] = errorPolicies[code]
  return [code, { close, status, client, message: messages[code] }]
})) as Readonly<Record<ErrorCode, ErrorEntry>>

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
