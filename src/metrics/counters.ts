import type { ErrorCode, ResetReason } from '@tickwire/protocol'

/** Counts of one transport since the node started: plain numbers, so that counting costs nothing. */
export class TransportCounters {
  opened = 0
  closed = 0
  /** Data messages and resets written. */
  messages = 0
  /** Bytes handed to the operating system, including framing. */
  bytes = 0
  /** Connections that began at the client's position, and connections that began at the present. */
  resumes = 0
  fresh = 0
  /** Clients that are lagging now, and how often a client began to lag. */
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
 * Where work on a topic failed: when its state was read from the log, when it was conflated or cut to a
 * depth, when it was encoded, when it was delivered, or when an instrument's own message was read.
 */
export type FailurePlace = 'state' | 'conflate' | 'encode' | 'deliver' | 'instrument'

interface StaleBooks {
  readonly source: string
  readonly reason: string
  count: number
}

interface SourceRefusals {
  readonly source: string
  readonly channel: string
  readonly code: ErrorCode
  count: number
}

/** The counts of a node. Labels come from closed sets: nothing that a client sends becomes a label. */
export class Counters {
  /** Messages that the log's tail brought, and the batches in which they came. */
  received = 0
  batches = 0
  subscriptions = 0
  /** By source, appends that were refused because the source runs on another node by now. */
  readonly fenced = new Map<string, number>()
  /** By source, channel and code: refused messages of sources, and updates of books that are stale. */
  readonly sourceRefusals = new Map<string, SourceRefusals>()
  /** By source and reason, how often a book became stale because its venue did not send what it must. */
  readonly staleBooks = new Map<string, StaleBooks>()
  readonly resets: Record<ResetReason, number> = { history_lost: 0, epoch_changed: 0, lagging: 0, entered: 0 }
  /** By channel and place, how often a channel or an encoder threw. */
  readonly failures = new Map<string, Map<FailurePlace, number>>()
  /**
   * Called for each window with how long its oldest message took from the log to the last socket, in
   * milliseconds.
   */
  onWindow: (latencyMs: number) => void = () => {}
  private readonly transports = new Map<string, TransportCounters>()

  transport (name: string): TransportCounters {
    let counters = this.transports.get(name)
    if (counters === undefined) this.transports.set(name, counters = new TransportCounters())
    return counters
  }

  /** Counts a failure. @param channel one that exists: there are few */
  fail (channel: string, place: FailurePlace): void {
    let places = this.failures.get(channel)
    if (places === undefined) this.failures.set(channel, places = new Map())
    places.set(place, (places.get(place) ?? 0) + 1)
  }

  refuseOfSource (source: string, channel: string, code: ErrorCode): void {
    const key = `${source} ${channel} ${code}`
    const counted = this.sourceRefusals.get(key)
    if (counted === undefined) this.sourceRefusals.set(key, { source, channel, code, count: 1 })
    else counted.count++
  }

  noteStaleBook (source: string, reason: string): void {
    const key = `${source} ${reason}`
    const counted = this.staleBooks.get(key)
    if (counted === undefined) this.staleBooks.set(key, { source, reason, count: 1 })
    else counted.count++
  }

  all (): Iterable<readonly [string, TransportCounters]> {
    return this.transports
  }
}
