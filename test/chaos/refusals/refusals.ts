import type { Transport } from '../events.js'

/** What a server says, again and again, to whoever comes. */
export type Word =
  /** The table's error, as an HTTP answer. */
  | { readonly how: 'refuse', readonly code: string, readonly status: number, readonly retryAfterMs?: number }
  /** A welcome, then the table's error as the last message. */
  | { readonly how: 'close', readonly code: string, readonly close: number, readonly retryAfterMs?: number }
  /** A proxy's page. */
  | { readonly how: 'page', readonly status: number }
  /** The connection breaks. */
  | { readonly how: 'break' }

/**
 * What the client must do:
 * - `wait longer`: it tries again, more and more seldom;
 * - `wait as told`: it tries again, and no earlier than the server says;
 * - `renew`: it tries with one new token, then stops for good;
 * - `stop`: it stops for good.
 */
export type Duty = 'wait longer' | 'wait as told' | 'renew' | 'stop'

export interface Refusal {
  readonly name: string
  readonly word: Word
  readonly duty: Duty
  /** The transports that can say so; absent: all. */
  readonly on?: readonly Transport[]
  /**
   * How many requests more the client may send until it stops: on event streams and polls it asks which of
   * its symbols the server refuses.
   */
  readonly asking?: number
}

/** Those that each of some transports can say. */
export const refusalsOver = (way: readonly Transport[]): Refusal[] =>
  refusals.filter(({ on }) => way.every(transport => on?.includes(transport) ?? true))

const STREAMS = ['websocket', 'event-stream'] as const
const RETRY_AFTER_MS = 400

export const refusals: readonly Refusal[] = [
  { name: 'a proxy answers 502', word: { how: 'page', status: 502 }, duty: 'wait longer' },
  { name: 'connections break', word: { how: 'break' }, duty: 'wait longer' },
  { name: 'internal', word: { how: 'refuse', code: 'internal', status: 500 }, duty: 'wait longer' },
  {
    name: 'a welcome, then internal',
    word: { how: 'close', code: 'internal', close: 4500 },
    duty: 'wait longer',
    on: STREAMS
  },
  {
    name: 'overloaded, with a time',
    word: { how: 'refuse', code: 'overloaded', status: 503, retryAfterMs: RETRY_AFTER_MS },
    duty: 'wait as told'
  },
  {
    name: 'a welcome, then going_away with a time',
    word: { how: 'close', code: 'going_away', close: 1001, retryAfterMs: RETRY_AFTER_MS },
    duty: 'wait as told',
    on: STREAMS
  },
  { name: 'unauthorized', word: { how: 'refuse', code: 'unauthorized', status: 401 }, duty: 'renew' },
  {
    name: 'a welcome, then unauthorized',
    word: { how: 'close', code: 'unauthorized', close: 4401 },
    duty: 'renew',
    on: STREAMS
  },
  { name: 'replaced', word: { how: 'refuse', code: 'replaced', status: 409 }, duty: 'stop' },
  { name: 'forbidden', word: { how: 'refuse', code: 'forbidden', status: 403 }, duty: 'stop', asking: 3 },
  {
    name: 'a welcome, then too_many_subscriptions',
    word: { how: 'close', code: 'too_many_subscriptions', close: 4413 },
    duty: 'stop',
    on: STREAMS
  }
]
