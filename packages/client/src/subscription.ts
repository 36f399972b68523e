import type { Message, Reset } from './channels.js'

/** How a subscription is answered, by symbol. In a channel without symbols the only entry has none. */
export interface SubscribeResult {
  readonly granted: ReadonlyArray<string | undefined>
  readonly rejected: readonly Rejected[]
}

export interface Rejected {
  readonly symbol: string | undefined
  /** A code of the table of errors: `unknown_symbol`, `forbidden`, … */
  readonly code: string
  readonly message: string
}

export interface SubscribeOptions {
  /** At most one message of a topic in so many milliseconds: 10–60000. */
  readonly throttleMs?: number
  /** Only the best so many levels of a book: 1–5000. */
  readonly depth?: number
  /** Begins with the newest so many messages: 1–10000. */
  readonly last?: number
  /** Ends the subscription. */
  readonly signal?: AbortSignal
  /** How many messages may wait for a loop over them, before the client drops them: default 10,000. */
  readonly maxWaiting?: number
}

/**
 * What an application reads of one channel. Several subscriptions to one topic share what the server sends,
 * and each gets every message once. A loop over it reads messages and resets; leaving the loop does not end
 * the subscription. If the loop is so slow that too much waits, the client drops what waits, and a reset
 * (`slow_reader`) of each of its topics stands in its place.
 */
export interface Subscription<Received extends Message = Message> extends AsyncIterable<Received | Reset> {
  readonly channel: string
  /** The server's answer; it waits as long as there is no connection. */
  readonly result: Promise<SubscribeResult>
  /** Whether {@link close} was called. */
  readonly closed: boolean
  /** Calls a listener with each message. @returns a function that takes it away */
  onMessage: (listener: (message: Received) => void) => () => void
  /** Calls a listener when messages of a topic are lost. @returns a function that takes it away */
  onReset: (listener: (reset: Reset) => void) => () => void
  /** Calls a listener with each message and each reset, in their order. */
  listen: (listener: (event: Received | Reset) => void) => () => void
  /**
   * Returns the last message of a topic, which in most channels is its state; undefined if none came, or if a
   * reset made it void.
   */
  latest: (symbol?: string) => Received | undefined
  /** Ends the subscription; the server stops sending what no other subscription reads. */
  readonly close: () => void
}
