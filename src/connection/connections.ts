import { ProtocolError } from '@tickwire/protocol'
import { ConnectionLedger } from './connection-ledger.js'
import { type ConnectionLimits, type ConnectionSlot, ConnectionQuota } from './connection-quota.js'
import { LimitedCallers } from './limited-callers.js'
import { type Addressable, Registry } from './registry.js'
import type { CloseReason } from './transport.js'

/** How often the server checks each connection for heartbeats, silence and an expired token. */
const SWEEP_MS = 1000
/**
 * How often the server checks the clients with a pending cursor, and how long such a client must have been
 * sent nothing before its cursor goes out alone.
 */
const CURSOR_SWEEP_MS = 150
const CURSOR_QUIET_MS = 750

/** A connection, as the clocks of the node see it. */
export interface Member extends Addressable {
  /**
   * Does what is due by the clock. Called about once a second.
   * @param pausedMs how long the process itself stood still before this call; no peer may be blamed for that
   *   silence
   */
  tick (now: number, pausedMs: number): void
  /** Closes the connection because something in it failed. */
  fail (error: unknown): void
}

/** A client that was sent something after its last cursor. */
export interface CursorReader {
  /**
   * When the client was last sent something, in milliseconds since 1970. Undefined once it was sent a
   * cursor after that, or its wire is gone.
   */
  readonly pendingSince: number | undefined
  /** Sends a cursor that covers everything the client was sent. */
  send (): unknown
  /** Closes the connection because sending the cursor failed. */
  fail (error: unknown): void
}

/** The connections of a node: counts them, runs their clocks, and closes them when the node shuts down. */
export class Connections {
  /** Holds the connections, and the polls that are being answered. */
  readonly registry = new Registry()
  /** What operators see of connections. */
  readonly ledger = new ConnectionLedger()
  /** Who was limited. */
  readonly limited = new LimitedCallers()
  /** How often the `tick` of each connection is called. */
  readonly sweepMs: number
  private readonly open = new Set<Member>()
  private readonly quota: ConnectionQuota
  private draining = false
  private readonly sweeper: NodeJS.Timeout
  private readonly cursorPending = new Set<CursorReader>()
  private readonly cursorSweeper: NodeJS.Timeout

  constructor (limits: ConnectionLimits, heartbeatMs: number) {
    this.quota = new ConnectionQuota(limits, this.limited)
    this.sweepMs = Math.min(SWEEP_MS, Math.max(10, heartbeatMs / 5))
    let sweptAt = Date.now()
    this.sweeper = setInterval(() => {
      const now = Date.now()
      const pausedMs = Math.max(0, now - sweptAt - 2 * this.sweepMs)
      sweptAt = now
      for (const connection of this.open) {
        try {
          connection.tick(now, pausedMs)
        } catch (error) {
          connection.fail(error)
        }
      }
    }, this.sweepMs).unref()
    this.cursorSweeper = setInterval(() => { this.sendPendingCursors() }, CURSOR_SWEEP_MS).unref()
  }

  /** Takes a slot for a connection or a poll. @throws ProtocolError `too_many_connections`, `going_away` */
  reserve (ip: string | undefined, user?: string): ConnectionSlot {
    if (this.draining) throw new ProtocolError('going_away')
    return this.quota.take(ip, user)
  }

  get active (): number {
    return this.quota.taken
  }

  add (connection: Member): void {
    this.open.add(connection)
    this.registry.add(connection)
  }

  remove (connection: Member): void {
    this.open.delete(connection)
    this.registry.remove(connection)
  }

  /**
   * Notes that a client has a pending cursor. It goes out within a second of the client's last flush
   * (PROTOCOL.md, Control). While more messages come, it goes out with them and costs no write of its own.
   */
  requireCursor (reader: CursorReader): void {
    this.cursorPending.add(reader)
  }

  /**
   * Closes every connection and held poll. The delays after which clients come back are spread, so that
   * they do not all come at once.
   */
  closeAll (reason: CloseReason, spreadMs: number): void {
    this.draining = true
    for (const member of this.registry.all()) {
      const retryAfterMs = Math.round((reason.retryAfterMs ?? 0) + Math.random() * spreadMs)
      member.close({ ...reason, retryAfterMs })
    }
    clearInterval(this.sweeper)
    clearInterval(this.cursorSweeper)
  }

  private sendPendingCursors (): void {
    const before = Date.now() - CURSOR_QUIET_MS
    for (const reader of this.cursorPending) {
      try {
        if (reader.pendingSince !== undefined && reader.pendingSince <= before) reader.send()
      } catch (error) {
        reader.fail(error)
        this.cursorPending.delete(reader)
      }
      if (reader.pendingSince === undefined) this.cursorPending.delete(reader)
    }
  }
}
