import type { ErrorCode, ResetReason } from '@tickwire/protocol'
import { Latencies } from './latencies.js'

/** Counts how often each key occurred. */
const increment = <Key>(counts: Map<Key, number>, key: Key): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** How often a set of labels occurred. */
interface LabelledCount<Labels> {
  readonly labels: Labels
  count: number
}

function incrementLabels<Labels extends object> (
  counts: Map<string, LabelledCount<Labels>>, labels: Labels, times = 1
): void {
  const key = Object.values(labels).join(' ')
  const counted = counts.get(key)
  if (counted === undefined) counts.set(key, { labels, count: times })
  else counted.count += times
}

/** What is overdue in a channel: messages that their users should have acknowledged. */
export interface Overdue {
  /** Users who have left a message unacknowledged for too long. */
  readonly users: number
  /** When the oldest of these messages came, in milliseconds since 1970; undefined if there is none. */
  readonly since: number | undefined
}

interface RefusalLabels { readonly source: string, readonly channel: string, readonly code: ErrorCode }
interface SourceEventLabels { readonly source: string, readonly part: string, readonly event: string }
interface StaleBookLabels { readonly source: string, readonly reason: string }

/** Counts of one transport since the node started: plain numbers, so that counting costs nothing. */
export class TransportCounters {
  opened = 0
  closed = 0
  /** Data messages and resets written. */
  messages = 0
  /** Bytes handed to the operating system, including framing. */
  bytes = 0
  /** Messages of clients, and their bytes without framing. */
  received = 0
  receivedBytes = 0
  /** Connections that began at the client's position, and connections that began at the present. */
  resumes = 0
  fresh = 0
  /** Clients that are lagging now, and how often a client began to lag. */
  lagging = 0
  lags = 0
  readonly refusals = new Map<ErrorCode, number>()
  readonly closes = new Map<ErrorCode, number>()

  refuse (code: ErrorCode): void {
    increment(this.refusals, code)
  }

  close (code: ErrorCode): void {
    increment(this.closes, code)
  }
}

/** Counts of what was sent of one channel, since the node started. */
export class ChannelCounters {
  /** Data messages and resets. */
  messages = 0
  /** Their bytes; of what is sent live with framing. */
  bytes = 0
  /** How long messages took from the log to the last socket: of each window of a topic, the oldest. */
  readonly latencies = new Latencies()
}

/**
 * Where work on a topic failed: when its state was read from the log, when it was conflated or cut to a
 * depth, when it was encoded, when it was delivered, or when an instrument's own message was read.
 */
export type FailurePlace = 'state' | 'conflate' | 'encode' | 'deliver' | 'instrument'

/** The counts of a node. Labels come from closed sets: nothing that a client sends becomes a label. */
export class Counters {
  /** Messages that the log's tail brought, and the batches in which they came. */
  received = 0
  batches = 0
  subscriptions = 0
  /** By source, appends that were refused because the source runs on another node by now. */
  readonly fenced = new Map<string, number>()
  /** By source, channel and code: refused messages of sources, and updates of books that are stale. */
  readonly sourceRefusals = new Map<string, LabelledCount<RefusalLabels>>()
  /** By source and reason, how often a book became stale because its venue did not send what it must. */
  readonly staleBooks = new Map<string, LabelledCount<StaleBookLabels>>()
  /** By source, part and event, what sources count of themselves. */
  readonly sourceEvents = new Map<string, LabelledCount<SourceEventLabels>>()
  /** By channel, how often users acknowledged something, and how many messages. */
  readonly acknowledged = new Map<string, { times: number, messages: number }>()
  /** By channel, what is overdue; nothing where another server looks. */
  overdue: ReadonlyMap<string, Overdue> = new Map()
  /** Trades that are in no bar, by reason. */
  readonly ignoredTrades = new Map<string, number>()
  readonly resets: Record<ResetReason, number> = { history_lost: 0, epoch_changed: 0, lagging: 0, entered: 0 }
  /** By channel and place, how often a channel or an encoder threw. */
  readonly failures = new Map<string, Map<FailurePlace, number>>()
  /**
   * Called for each window with how long its oldest message took from the log to the last socket, in
   * milliseconds.
   */
  onWindow: (latencyMs: number) => void = () => {}
  /** As those of the channels, of all of them. Whoever shows them begins anew. */
  readonly latencies = new Latencies()
  private readonly transports = new Map<string, TransportCounters>()
  private readonly channels = new Map<string, ChannelCounters>()

  transport (name: string): TransportCounters {
    let counters = this.transports.get(name)
    if (counters === undefined) this.transports.set(name, counters = new TransportCounters())
    return counters
  }

  /** @param name of a channel that exists: there are few */
  channel (name: string): ChannelCounters {
    let counters = this.channels.get(name)
    if (counters === undefined) this.channels.set(name, counters = new ChannelCounters())
    return counters
  }

  /** Counts how long the oldest message of a topic's window took. */
  delay (channel: string, ms: number): void {
    this.latencies.add(ms)
    this.channel(channel).latencies.add(ms)
  }

  /** Counts a failure. @param channel one that exists: there are few */
  fail (channel: string, place: FailurePlace): void {
    let places = this.failures.get(channel)
    if (places === undefined) this.failures.set(channel, places = new Map())
    increment(places, place)
  }

  /** Counts appends of a source that another node has taken over. */
  fence (source: string): void {
    increment(this.fenced, source)
  }

  acknowledge (channel: string, messages: number): void {
    const counted = this.acknowledged.get(channel) ?? { times: 0, messages: 0 }
    counted.times++
    counted.messages += messages
    this.acknowledged.set(channel, counted)
  }

  refuseOfSource (source: string, channel: string, code: ErrorCode): void {
    incrementLabels(this.sourceRefusals, { source, channel, code })
  }

  noteStaleBook (source: string, reason: string): void {
    incrementLabels(this.staleBooks, { source, reason })
  }

  noteSourceEvent (labels: SourceEventLabels, times: number): void {
    incrementLabels(this.sourceEvents, labels, times)
  }

  /** Counts a trade that is in no bar. @param why one of few */
  ignoreTrade (why: string): void {
    increment(this.ignoredTrades, why)
  }

  all (): Iterable<readonly [string, TransportCounters]> {
    return this.transports
  }

  allChannels (): Iterable<readonly [string, ChannelCounters]> {
    return this.channels
  }
}
