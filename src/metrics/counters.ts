import type { ErrorCode, ResetReason } from '@tickwire/protocol'

/** What happened on one transport since the node started; plain numbers, so that counting costs nothing. */
export class TransportCounters {
  opened = 0
  closed = 0
  /** Data messages and resets written. */
  messages = 0
  /** As handed to the system, with their framing. */
  bytes = 0
  /** Those that began at a position of the client, and those that began at the present. */
  resumes = 0
  fresh = 0
  /** Those that are being caught up now because they read too slowly, and how often that began. */
  lagging = 0
  lags = 0
  readonly refusals = new Map<ErrorCode, number>()
  readonly closes = new Map<ErrorCode, number>()

  refuse (code: ErrorCode): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1)
  }

  close (code: ErrorCode): void {
    this.closes.set(code, (this.closes.get(code) ?? 0) + 1)
  }
}

/**
 * Where work on a topic failed: at its state in the log, at conflating it or cutting it to a depth, at encoding it, at passing it on, or
 * at what an instrument says of itself.
 */
export type FailurePlace = 'state' | 'conflate' | 'encode' | 'deliver' | 'instrument'

/** What a node counts. Labels come from closed sets: nothing that a client says becomes one. */
export class Counters {
  /** What the log's tail brought: messages, and the batches in which they came. */
  received = 0
  batches = 0
  subscriptions = 0
  /** By source: appends that were refused because it runs on another node by now. */
  readonly fenced = new Map<string, number>()
  readonly resets: Record<ResetReason, number> = { history_lost: 0, epoch_changed: 0, lagging: 0, entered: 0 }
  /** By channel and place: what channels and encoders threw. */
  readonly failures = new Map<string, Map<FailurePlace, number>>()
  /** Told for each window how long its oldest message took from the log to the last socket, in milliseconds. */
  onWindow: (latencyMs: number) => void = () => {}
  private readonly transports = new Map<string, TransportCounters>()

  transport (name: string): TransportCounters {
    let counters = this.transports.get(name)
    if (counters === undefined) this.transports.set(name, counters = new TransportCounters())
    return counters
  }

  /** @param channel one that exists: there are few */
  fail (channel: string, place: FailurePlace): void {
    let places = this.failures.get(channel)
    if (places === undefined) this.failures.set(channel, places = new Map())
    places.set(place, (places.get(place) ?? 0) + 1)
  }

  all (): Iterable<readonly [string, TransportCounters]> {
    return this.transports
  }
}
