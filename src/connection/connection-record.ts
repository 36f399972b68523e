import type { ErrorCode, ResetReason } from '@tickwire/protocol'
import type { Selector } from '../hub/audience/selector.js'

/** Events that are kept of each connection; beyond that the oldest go. */
const MAX_EVENTS = 200
/** Resets of one reason that come within this time are one event. */
const SAME_RESET_MS = 1000
/** Subscriptions of one connection that the store is given: a client may change its own for ever. */
const MAX_STORED = 1000
/** Symbols that are kept of a connection that has ended. */
const MAX_ENDED_SYMBOLS = 100

/** What happened to a connection: who, how many and why, never what was sent. */
export type ConnectionEvent =
  | { readonly event: 'connect' }
  | { readonly event: 'authenticate', readonly user_id: string }
  | {
    readonly event: 'subscribe'
    readonly channel: string
    readonly subscription_id: string
    readonly selectors: number
    readonly rejected: number
  }
  | { readonly event: 'unsubscribe', readonly channel: string, readonly selectors: number }
  | { readonly event: 'lag' | 'catch_up_end' | 'error' }
  | { readonly event: 'reset', readonly reason: ResetReason, readonly topics: number }
  | { readonly event: 'refuse', readonly code: ErrorCode }
  | { readonly event: 'close', readonly code: number | null, readonly reason: ErrorCode | null }

/** An event, and when it happened, in milliseconds since 1970. */
export type TimedEvent = ConnectionEvent & { readonly at: number }

/** What a client asked for in one subscription, and still gets. */
export interface SubscribedGroup {
  /** The id that `subscribed` gave it. */
  readonly id: string
  readonly channel: string
  /** Absent for a channel without symbols. */
  readonly symbols: readonly string[] | undefined
  /** 0: as it comes, and all levels. */
  readonly throttleMs: number
  readonly depth: number
  /** In milliseconds since 1970. */
  readonly since: number
}

interface Group extends Omit<SubscribedGroup, 'symbols'> {
  /** What it began with, which the store is given. */
  readonly asked: readonly Selector[]
  /** What is left of that. */
  selectors: readonly Selector[]
  /** Whether the store is given it. */
  readonly isKept: boolean
  isStored: boolean
}

/** What went over one connection, both ways. */
export interface Traffic {
  messagesSent: number
  bytesSent: number
  messagesReceived: number
  bytesReceived: number
}

const NO_EVENTS: TimedEvent[] = []
const NO_GROUPS: readonly Group[] = []

/**
 * What a node keeps of one connection for operators. Counting costs an increment; all else is kept by what
 * clients do, and never by message. Its memory grows with the events, up to {@link MAX_EVENTS}.
 */
export class ConnectionRecord implements Traffic {
  /** Data messages and resets written. */
  messagesSent = 0
  /** With framing. */
  bytesSent = 0
  /** Actions, and what was no action. */
  messagesReceived = 0
  /** Without framing. */
  bytesReceived = 0
  /** When the store was given a row of the connection, in milliseconds since 1970. */
  storedAt = 0
  private kept = NO_EVENTS
  private noted = 0
  private groups = NO_GROUPS
  private omitted = 0
  private hasUnstored = false
  private keptGroups = 0

  note (event: ConnectionEvent, at = Date.now()): void {
    if (this.kept === NO_EVENTS) this.kept = []
    this.kept[this.noted++ % MAX_EVENTS] = { at, ...event }
  }

  /** Notes a reset of topics. Those of many topics, one after another, are one event. */
  noteReset (reason: ResetReason, topics = 1, at = Date.now()): void {
    const place = (this.noted - 1) % MAX_EVENTS
    const last = this.kept[place]
    if (last?.event === 'reset' && last.reason === reason && at - last.at < SAME_RESET_MS) {
      this.kept[place] = { ...last, topics: last.topics + topics }
    } else this.note({ event: 'reset', reason, topics }, at)
  }

  /** The events that are kept, oldest first. */
  get events (): readonly TimedEvent[] {
    const first = this.noted % MAX_EVENTS
    if (this.noted <= MAX_EVENTS) return this.kept
    return [...this.kept.slice(first), ...this.kept.slice(0, first)]
  }

  /** How many events are not kept any more. */
  get omittedEvents (): number {
    return Math.max(0, this.noted - MAX_EVENTS)
  }

  // ---- subscriptions

  /**
   * Notes a subscription; selectors that others had are its own from now on. Returns the subscriptions of
   * which nothing is left, as the store is given them.
   */
  subscribe (
    id: string, channel: string, selectors: readonly Selector[], since: number
  ): readonly SubscribedGroup[] {
    const ended = this.unsubscribe(selectors)
    if (selectors.length === 0) return ended
    const { throttleMs, depth } = selectors[0]!.view
    const isKept = this.keptGroups < MAX_STORED
    if (isKept) this.keptGroups++
    const given = { id, channel, asked: selectors, selectors, throttleMs, depth, since }
    this.groups = [...this.groups, { ...given, isKept, isStored: !isKept }]
    this.hasUnstored ||= isKept
    return ended
  }

  /** Notes that selectors have ended. Returns what {@link subscribe} does. */
  unsubscribe (selectors: readonly Selector[]): readonly SubscribedGroup[] {
    if (this.groups.length === 0) return []
    const keys = new Set(selectors.map(({ key }) => key))
    const ended: SubscribedGroup[] = []
    this.groups = this.groups.filter(group => {
      const left = group.selectors.filter(({ key }) => !keys.has(key))
      if (left.length > 0) group.selectors = left
      else if (group.isKept) ended.push(shown(group, group.asked))
      return left.length > 0
    })
    return ended
  }

  /** Returns the subscriptions that the store was not given yet, and counts them as given. */
  takeUnstored (): readonly SubscribedGroup[] {
    if (!this.hasUnstored) return []
    this.hasUnstored = false
    const fresh = this.groups.filter(({ isStored }) => !isStored)
    for (const group of fresh) group.isStored = true
    return fresh.map(group => shown(group, group.asked))
  }

  /** The subscriptions, with what is left of them. */
  get subscriptions (): readonly SubscribedGroup[] {
    return this.groups.map(group => shown(group, group.selectors))
  }

  /** The subscriptions of which something is left, as the store is given them. */
  get storable (): readonly SubscribedGroup[] {
    return this.groups.filter(({ isKept }) => isKept).map(group => shown(group, group.asked))
  }

  get selectors (): number {
    return this.omitted + this.groups.reduce((sum, { selectors }) => sum + selectors.length, 0)
  }

  /** Symbols that are not kept any more. */
  get omittedSymbols (): number {
    return this.omitted
  }

  /** Ends the record: of its subscriptions only so much is kept as may be there of many connections. */
  end (): void {
    let room = MAX_ENDED_SYMBOLS
    this.groups = this.groups.flatMap(group => {
      const selectors = group.selectors.slice(0, room)
      room -= selectors.length
      this.omitted += group.selectors.length - selectors.length
      return selectors.length === 0 ? [] : { ...group, asked: selectors, selectors }
    })
  }
}

function shown (
  { id, channel, throttleMs, depth, since }: Group, selectors: readonly Selector[]
): SubscribedGroup {
  const symbols = selectors.flatMap(({ symbol }) => symbol ?? [])
  return { id, channel, symbols: symbols.length === 0 ? undefined : symbols, throttleMs, depth, since }
}
