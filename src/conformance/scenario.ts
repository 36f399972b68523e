import type { Play } from './play.js'

/** The transports, by the names that drivers know. */
export const transports = ['websocket', 'event-stream', 'polling'] as const
export type Transport = typeof transports[number]

/** One step of a script; it throws a Failure if the client does not play along. */
export type Step = (play: Play) => Promise<void>

/** Writes one block of an event stream as the pieces in which it goes to the socket. */
export type WriteEvents = (block: string) => ReadonlyArray<string | Buffer>

export interface Scenario {
  /** `group/name`. */
  readonly name: string
  /** Behind "The client must …". */
  readonly must: string
  /** The clause of PROTOCOL.md that says so. */
  readonly clause: string
  /** The scenario runs once over each of these; default all. */
  readonly over?: readonly Transport[]
  /** The scenario runs once, with a client that may use these, the first one first. */
  readonly allows?: readonly Transport[]
  /** What the driver subscribes to at the start, as a query writes it; default `trades:A`. */
  readonly subscribe?: readonly string[]
  readonly token?: string
  readonly tokens?: readonly string[]
  readonly writeEvents?: WriteEvents
  /** The server compresses for a client that offers it. */
  readonly isCompressed?: boolean
  readonly steps: readonly Step[]
}
