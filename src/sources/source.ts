import type { Instrument } from '@tickwire/protocol'
import type { AppendOptions, Origin } from '../log/log.js'
import type { PublishResult } from '../publisher/publisher.js'

/** A message as a source hands it over; the publisher validates, stamps and appends it. */
export interface SourceMessage {
  readonly channel: string
  readonly symbol?: string | undefined
  readonly data: unknown
  /** Owner of a private channel's topic. */
  readonly user?: string | undefined
  /** The message replaces the topic's whole state. */
  readonly snapshot?: boolean | undefined
  /** Of what a processor publishes. */
  readonly origin?: Origin
}

/** What goes with origins. */
export type OriginOptions = Pick<AppendOptions, 'lineage' | 'epochs'>

/** What a source is given to work with. */
export interface SourceContext {
  /**
   * Resolves when the log has the messages: wait for it, so that a fast source cannot outrun the log.
   * @param options of the messages of a processor
   * @returns an answer for each, in its place: what is refused is logged, and for the source to judge
   * @throws where the source is to end, or runs on another server by now: nothing more of it is taken
   */
  publish (messages: readonly SourceMessage[], options?: OriginOptions): Promise<readonly PublishResult[]>
  /** Makes instruments known before their first message. @returns and @throws as `publish` */
  declare (instruments: readonly Instrument[]): Promise<readonly PublishResult[]>
  /** What is known of an instrument: another server may have declared it while the source ran there. */
  instrument (symbol: string): Instrument | undefined
  /**
   * For what a timer or a listener calls, where nobody else would hear of an error: what it throws, or rejects with, fails the source as
   * though {@link Source.run} had. `socket.on('message', guard(data => { … }))`
   */
  guard<Arguments extends unknown[]> (work: (...given: Arguments) => unknown): (...given: Arguments) => void
  /** Aborted when the source is to end, and when what it guards has failed: it is started again once {@link Source.run} has ended. */
  readonly signal: AbortSignal
}

/** When a source runs that does not run always: while somebody subscribes to what it serves, on whichever server. */
export interface Lazy {
  /** What it publishes to, in topics of its instruments and of their markets. */
  readonly channels: readonly string[]
  /** How long it goes on when the last one has gone, in milliseconds. */
  readonly lingerMs: number
}

/** Where messages come from: a recorded session, a simulation, a venue. It runs on one server at a time, and begins anew on another. */
export interface Source {
  /** Names it in `POST /v1/admin/sources/<name>/start`, and among the sources of all servers. */
  readonly name: string
  /** Waits for `start` through the admin interface instead of starting with the server. */
  readonly manual: boolean
  /** Absent: it runs whether somebody subscribes or not. */
  readonly lazy?: Lazy | undefined
  /** What it will publish about; called once, before {@link run}, whether and wherever the source runs. */
  instruments (): Promise<readonly Instrument[]>
  /**
   * Publishes until it is done or the signal is aborted. A failure is thrown. What it says first of a topic is its whole state: it may
   * have run elsewhere before, or may have been stopped in the middle.
   */
  run (context: SourceContext): Promise<void>
}
