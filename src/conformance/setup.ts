/** The transports, by the names that drivers know. */
export const transports = ['websocket', 'event-stream', 'polling'] as const
export type Transport = typeof transports[number]

/** Writes one block of an event stream as the pieces in which it goes to the socket. */
export type WriteEvents = (block: string) => ReadonlyArray<string | Buffer>

/** How the driver begins, and how the server writes. */
export interface Setup {
  /** What the driver subscribes to at the start, as a query writes it; default `trades:A`. */
  readonly subscribe?: readonly string[]
  readonly token?: string
  readonly tokens?: readonly string[]
  readonly writeEvents?: WriteEvents
  /** The server compresses for a client that offers it. */
  readonly isCompressed?: boolean
}
