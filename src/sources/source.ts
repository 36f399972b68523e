import type { Instrument } from '@tickwire/protocol'

/** A message as a source hands it over; the publisher validates, stamps and appends it. */
export interface SourceMessage {
  readonly channel: string
  readonly symbol?: string
  readonly data: unknown
  /** The message replaces the topic's whole state. */
  readonly snapshot?: boolean
}

/** What a source is given to work with. */
export interface SourceContext {
  /** Resolves when the log has the messages: wait for it, so that a fast source cannot outrun the log. */
  publish (messages: readonly SourceMessage[]): Promise<void>
  /** Makes instruments known before their first message. */
  declare (instruments: readonly Instrument[]): Promise<void>
  /** Aborted when the source is to end. */
  readonly signal: AbortSignal
}

/** Where messages come from: a recorded session, a simulation, a venue. */
export interface Source {
  /** Names it in `POST /v1/admin/sources/<name>/start`. */
  readonly name: string
  /** Waits for `start` through the admin interface instead of starting with the server. */
  readonly manual: boolean
  /** What it will publish about; called once, before {@link run}, whether the source is manual or not. */
  instruments (): Promise<readonly Instrument[]>
  /** Publishes until it is done or the signal is aborted. A failure is thrown. */
  run (context: SourceContext): Promise<void>
}
