import type { Instrument } from '@tickwire/protocol'
import type { Fault } from '../book/book-event.js'
import type { Origin } from '../log/log.js'
import type { PublishLimits, PublishResult } from '../publisher/publisher.js'
import type { FeedCounts } from './live/counts.js'

/** A message as a source hands it over; the publisher validates, stamps and appends it. */
export interface SourceMessage {
  readonly channel: string
  readonly symbol?: string | undefined
  readonly data: unknown
  /** Owner of a private channel's topic. */
  readonly user?: string | undefined
  /** The message replaces the topic's whole state. */
  readonly snapshot?: boolean | undefined
  /** Why a message makes its book stale: the server logs and counts it. */
  readonly fault?: Fault
  /** The origin of a message that a processor publishes. */
  readonly origin?: Origin
  /** If the source repeats a key for a topic within ten minutes, the log appends nothing again. */
  readonly idempotencyKey?: string
}

/** Options for messages with origins. */
export type OriginOptions = Pick<PublishLimits, 'lineage' | 'epochs' | 'whole'>

/** The part of a logger that a source needs. */
export interface SourceLogger {
  info (details: object, message: string): void
  warn (details: object, message: string): void
  error (details: object, message: string): void
}

/** What a source works with. */
export interface SourceContext {
  readonly logger: SourceLogger
  /**
   * Appends messages. The source must wait for it, so that it cannot outrun the log.
   * @param options for the messages of a processor
   * @returns a result for each message, in the same order. The server logs refusals; the source decides what
   *   they mean to it
   * @throws if the source must end, or runs on another server by now: nothing more of it is accepted
   */
  publish (messages: readonly SourceMessage[], options?: OriginOptions): Promise<readonly PublishResult[]>
  /** Declares instruments, before their first message. @returns and @throws as `publish` */
  declare (instruments: readonly Instrument[]): Promise<readonly PublishResult[]>
  /** Returns an instrument as it is known; another server may have declared it while the source ran there. */
  instrument (symbol: string): Instrument | undefined
  /**
   * Wraps a callback of a timer or a listener, where nobody else would notice an error: if the callback
   * throws or rejects, the source fails as though {@link Source.run} had.
   * `socket.on('message', guard(data => { … }))`
   */
  guard<Arguments extends unknown[]> (work: (...given: Arguments) => unknown): (...given: Arguments) => void
  /**
   * Aborts when the source must end, and when a guarded callback has failed; then the source starts again
   * once {@link Source.run} has ended.
   */
  readonly signal: AbortSignal
}

/** When a lazy source runs: while somebody subscribes to what it serves, on any server. */
export interface Lazy {
  /** The channels that it publishes to, in topics of its instruments and of their markets. */
  readonly channels: readonly string[]
  /** How long it goes on after the last subscriber has gone, in milliseconds. */
  readonly lingerMs: number
  /** Whether it serves every symbol in these channels, and not only its instruments. */
  readonly servesAll?: boolean
  /**
   * Called once, on every server that has the source, for one that must know what to make.
   * @param local returns the topics of these channels that somebody on this server subscribes to, or has
   *   since it was last called; first those that clients name
   */
  attach? (local: () => readonly WantedTopic[]): void
}

/** A topic with a symbol to which somebody subscribes. */
export interface WantedTopic {
  readonly channel: string
  readonly symbol: string
  /** Whether a client names the topic, and does not only subscribe to a set that has it. */
  readonly isNamed: boolean
}

/**
 * Where messages come from: a recording, a simulation, a venue. A source runs on one server at a time, and
 * starts from its beginning on another.
 */
export interface Source {
  /**
   * The name of the source in `POST /v1/admin/sources/<name>/start`, and among the sources of all servers.
   */
  readonly name: string
  /** The source waits for `start` through the admin interface, and does not start with the server. */
  readonly manual: boolean
  /** Absent: the source runs whether or not somebody subscribes. */
  readonly lazy?: Lazy | undefined
  /** What it counts, if it reads a venue. */
  readonly counts?: FeedCounts
  /**
   * Returns what it will publish about; called once, before {@link run}, on every server that has the source.
   */
  instruments (): Promise<readonly Instrument[]>
  /**
   * Publishes until it is done or the signal aborts; throws if it fails. Its first message of each topic must
   * carry the whole state: the source may have run elsewhere before, or may have been stopped halfway.
   */
  run (context: SourceContext): Promise<void>
  /**
   * Returns what is published when a run is over, however it ended: whoever reads later what the source said
   * last must know that nobody follows it any more. Absent: it stays as it was said.
   */
  lastWords? (): readonly SourceMessage[]
}
