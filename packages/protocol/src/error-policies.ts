/**
 * What each error of the table (errors.ts) means to a client. It stands apart from the texts, which a browser
 * need not load.
 */

/**
 * What a client does after an error:
 * - `stop`: it stops, because trying again cannot help;
 * - `reconnect`: it reconnects after `retry_after_ms`, if given, plus jitter;
 * - `backoff`: it reconnects with growing delays;
 * - `renew`: it gets a new token once, then stops.
 */
export type ClientPolicy = 'stop' | 'reconnect' | 'backoff' | 'renew'

/** By code: the WebSocket close code, the HTTP status, and what a client does. A code is never reused. */
export const errorPolicies = {
  going_away: [1001, 503, 'reconnect'],
  message_too_big: [1009, 413, 'stop'],
  bad_request: [4400, 400, 'stop'],
  invalid_json: [4400, 400, 'stop'],
  invalid_message: [4400, 400, 'stop'],
  unknown_channel: [4400, 400, 'stop'],
  unknown_symbol: [4400, 400, 'stop'],
  bad_cursor: [4400, 400, 'stop'],
  not_throttleable: [4400, 400, 'stop'],
  unauthorized: [4401, 401, 'renew'],
  forbidden: [4403, 403, 'stop'],
  not_found: [4404, 404, 'stop'],
  disabled: [4410, 503, 'stop'],
  idle_timeout: [4408, 408, 'reconnect'],
  replaced: [4409, 409, 'stop'],
  conflict: [4409, 409, 'stop'],
  rate_limited: [4429, 429, 'reconnect'],
  too_many_connections: [4429, 429, 'reconnect'],
  // Waiting lifts the limits above, but not this one. So it has a close code of its own: the close code alone
  // must tell a client what to do.
  too_many_subscriptions: [4413, 429, 'stop'],
  internal: [4500, 500, 'backoff'],
  overloaded: [4503, 503, 'reconnect'],
  log_unavailable: [4503, 503, 'reconnect']
} as const satisfies Record<string, readonly [close: number, status: number, client: ClientPolicy]>

export type ErrorCode = keyof typeof errorPolicies
