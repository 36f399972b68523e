import type { ErrorCode } from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import type { ConnectionRecord, SubscribedGroup } from './connection-record.js'

/** Ended connections that a node keeps; beyond that the oldest go. */
const MAX_ENDED = 1000

/** What a client gets now: see `DeliveryState`; a poll is being answered. */
export type StreamState = 'live' | 'catching_up' | 'lagging' | 'polling'

/** A connection or a held poll, as operators see it. */
export interface Observed {
  readonly id: string
  readonly transportName: string
  readonly address: string
  readonly identity: Identity
  /** In milliseconds since 1970. */
  readonly openedAt: number
  /** When the client last gave a sign of life, in milliseconds since 1970. */
  readonly heardAt: number
  readonly streamState: StreamState
  /** How many written bytes the system has not taken. */
  readonly unsent: number
  readonly record: ConnectionRecord
}

/** A connection that has ended. */
export interface EndedConnection extends Omit<Observed, 'identity' | 'streamState' | 'unsent'> {
  readonly user: string | undefined
  readonly endedAt: number
  /** The close code; null if nobody gave one. */
  readonly code: number | null
  /** Why the server closed it; null if it did not. */
  readonly reason: ErrorCode | null
}

/** Is told what ends, so that it can be kept for longer. It must return at once. */
export interface LedgerSink {
  ended (connection: EndedConnection): void
  subscriptionsEnded (connection: Observed, groups: readonly SubscribedGroup[], at: number): void
}

/** The connections of a node, for operators: those that are open, and the newest of those that have ended. */
export class ConnectionLedger {
  readonly open = new Set<Observed>()
  sink: LedgerSink | undefined
  private readonly past = new Set<EndedConnection>()

  add (connection: Observed): void {
    this.open.add(connection)
  }

  /** Forgets a poll: its client makes many, and each is short. */
  leave (poll: Observed): void {
    this.open.delete(poll)
  }

  /** Notes that selectors of a connection have ended, and with them these subscriptions. */
  subscriptionsEnded (connection: Observed, groups: readonly SubscribedGroup[], at: number): void {
    if (groups.length > 0) this.sink?.subscriptionsEnded(connection, groups, at)
  }

  end (connection: Observed, code: number | null, reason: ErrorCode | null, endedAt: number): void {
    this.open.delete(connection)
    const { id, transportName, address, identity, openedAt, heardAt, record } = connection
    record.note({ event: 'close', code, reason }, endedAt)
    const ended: EndedConnection = {
      id, transportName, address, user: identity.user, openedAt, heardAt, record, endedAt, code, reason
    }
    // With all that it subscribed to, which the record then lets go.
    this.sink?.ended(ended)
    record.end()
    this.past.add(ended)
    for (const oldest of this.past) {
      if (this.past.size <= MAX_ENDED) break
      this.past.delete(oldest)
    }
  }

  /** The newest of those that have ended, oldest first. */
  get ended (): Iterable<EndedConnection> {
    return this.past
  }
}
