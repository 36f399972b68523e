import type { ErrorCode } from '@tickwire/protocol/error-policies'

/** A message of the server, as it came; the client reads only the fields that it knows. */
export interface ServerMessage {
  readonly type: string
  readonly [field: string]: unknown
}

/** What a connection begins with. */
export interface Request {
  /** The address of the server, which ends with a slash: `https://stream.example/live/`. */
  readonly base: string
  readonly token: string | undefined
  /** The subscriptions and the cursor, for a transport that names them in the URL: `subscribe=…&after=…`. */
  readonly query: string
  /**
   * A topic of which the client has messages beyond the cursor. A transport whose answers name no epoch asks
   * for the present one with it (PROTOCOL.md, The client's rule, 5).
   */
  readonly uncertain: string | undefined
  /** Returns a token that is good now, for a transport that makes connections of its own. */
  readonly getToken: () => Promise<string | undefined>
}

/** Why a connection ended. */
export interface End {
  /** The server's own refusal, by the table of errors; undefined if something else ended the connection. */
  readonly code?: ErrorCode | undefined
  readonly reason: string
  readonly retryAfterMs?: number | undefined
  /** Whether another peer has taken over already, so that there is nothing to wait for. */
  readonly isHandedOver?: boolean
}

/** What becomes of the connection that a transport shares with others. */
export type SharedState = 'connecting' | 'catching_up' | 'live' | 'stale' | 'offline'

/** What a connection tells the client. After `onEnd` it tells nothing more. */
export interface LinkEvents {
  /** Bytes came, whether they are a whole message or not. */
  readonly onLife: (bytes: number) => void
  /** The first message is `welcome`; polling makes one itself. */
  readonly onMessage: (message: ServerMessage) => void
  readonly onEnd: (end: End) => void
  /**
   * The connection ended, and the link itself opens another one from the last cursor, whose first message is
   * another `welcome`. Without a listener for this, such a link ends.
   */
  readonly onBreak?: (end: End) => void
  /** The connection is there, and what it shares has another state. */
  readonly onState: (name: SharedState, reason: string | undefined) => void
}

/** An open connection, or one that is being opened. */
export interface Link {
  /** Sends an action; absent where the query says everything, so that a change takes a new connection. */
  readonly send?: (action: object) => void
  /** Asks a silent peer for a sign of life. Finding that it is dead ends the connection. */
  readonly probe?: (query: string) => void
  readonly close: () => void
}

export type TransportName = 'websocket' | 'event-stream' | 'polling' | 'event-source' | 'tabs'

export interface Transport {
  readonly name: TransportName
  /** Whether the client can send actions, and so change its subscriptions, on an open connection. */
  readonly duplex: boolean
  /** Whether messages come over one connection, which goes on while another one is opened. */
  readonly isStream: boolean
  /** After so many milliseconds without a byte the client asks for a sign of life. */
  readonly probeAfterMs: number
  /** After so many milliseconds without a byte the connection is dead. */
  readonly deadAfterMs: number
  readonly open: (request: Request, events: LinkEvents, environment: Environment) => Link
  /**
   * Finds which of several subscriptions the server refuses, where it refuses all of a URL for one of them.
   * @param queries the subscriptions, each as a query of its own: `subscribe=quotes:AAPL`
   * @returns by index, why
   */
  readonly findRefused?: (
    request: Request, queries: readonly string[], environment: Environment
  ) => Promise<ReadonlyMap<number, End>>
}

/** What a client takes from its surroundings; a test gives its own. */
export interface Environment {
  readonly fetch: typeof fetch
  /** Undefined in Node 20, which has none of its own; the packages `ws` and `undici` have one. */
  readonly WebSocket: typeof WebSocket | undefined
  /** Remembers which transport worked. */
  readonly storage: Pick<Storage, 'getItem' | 'setItem'> | undefined
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number
  /** Milliseconds since 1970. */
  readonly now: () => number
}
