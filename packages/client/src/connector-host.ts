import type { State } from './state.js'
import type { End, Request, ServerMessage, Transport } from './transports/transport.js'

/** What the client does for its connector. */
export interface ConnectorHost {
  /** Whether there can be another token than the one that the server refused. */
  readonly canRenew: boolean
  token: () => Promise<string | undefined>
  request: (token: string | undefined) => Request
  /** Whether a request resumes all that the cursor covers: one may have come since the request was made. */
  resumes: (request: Request, transport: Transport) => boolean
  /** A query that brings messages only if the connection should have brought them; '': there is none. */
  probe: () => string
  /** A connection was welcomed, and takes the place of the former one. */
  adopted: (request: Request, transport: Transport) => void
  message: (message: ServerMessage) => void
  /**
   * The server refused for good what a request asked for.
   * @returns whether the client now asks for less, so that another attempt can help
   */
  narrowed: (end: End, request: Request, transport: Transport) => Promise<boolean>
  changed: (state: State) => void
  heard: (bytes: number) => void
  note: (text: string) => void
}
