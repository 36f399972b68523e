/** What passes between a run and a driver: one JSON object a line, in either direction. */

export const transports = ['websocket', 'event-stream', 'polling'] as const
export type Transport = (typeof transports)[number]

/** A subscription to a channel. */
export interface Subscription {
  readonly channel: string
  /** Absent for a channel without symbols. */
  readonly symbols?: readonly string[]
  readonly throttle_ms?: number
}

export interface Connecting {
  readonly url: string
  /** Those that the client may use, in the order in which it prefers them. */
  readonly transports: readonly Transport[]
  readonly token?: string
  /** What the client's function for tokens returns, one after another; the last one again and again. */
  readonly tokens?: readonly string[]
}

export type Command =
  | { readonly do: 'connect' } & Connecting
  | { readonly do: 'subscribe' } & Subscription
  | { readonly do: 'close' }

interface OfTopic {
  readonly channel: string
  readonly symbol?: string
}

/** A message that the client gave the application. */
export interface Given extends OfTopic {
  readonly event: 'message'
  readonly sequence: number
  readonly snapshot?: true
  readonly prev?: number
  readonly data: unknown
}

/** The client told the application that messages are lost. */
export interface ResetTold extends OfTopic {
  readonly event: 'reset'
  readonly reason: string
  /** Messages up to it stay valid; absent: none does. */
  readonly sequence?: number
}

export interface StateTold {
  readonly event: 'state'
  readonly state: 'connecting' | 'catching_up' | 'live' | 'stale' | 'offline' | 'closed'
  readonly reason?: string
  /** Of the table of errors. `closed` with a code: the client has stopped for good. */
  readonly code?: string
  readonly transport?: Transport
}

export type DriverEvent =
  | { readonly event: 'ready' }
  | { readonly event: 'closed' }
  | Given
  | ResetTold
  | { readonly event: 'subscribed', readonly channel: string, readonly symbols?: readonly string[] }
  | { readonly event: 'rejected', readonly code: string, readonly message: string } & OfTopic
  | StateTold
  | { readonly event: 'gap', readonly sequence: number } & OfTopic

/** An event, and when it was read in milliseconds. */
export interface Told {
  readonly at: number
  readonly event: DriverEvent
}

export const topicOf = ({ channel, symbol }: OfTopic): string =>
  symbol === undefined ? channel : `${channel}:${symbol}`
