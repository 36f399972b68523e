import { ProtocolError } from '@tickwire/protocol'
import { type ConnectionLimits, type ConnectionSlot, ConnectionQuota } from './connection-quota.js'
import { type Addressable, Registry } from './registry.js'
import type { CloseReason } from './transport.js'

/** How often connections are looked at for heartbeats, silence and expired tokens. */
const SWEEP_MS = 1000
/** How often those are looked at that are owed a cursor, and how long nothing must have come for them to be sent it alone. */
const CURSOR_SWEEP_MS = 150
const CURSOR_QUIET_MS = 750

/** A connection, as the node's clocks see it. */
export interface Member extends Addressable {
  /** Called about once a second. @param pausedMs how long the process did nothing before: nobody's silence */
  tick (now: number, pausedMs: number): void
  /** Ends it, because something of it failed. */
  fail (error: unknown): void
}

/** What has been sent something behind its last cursor. */
export interface CursorReader {
  /** Undefined once it has had a cursor, or its wire is gone; else when it was sent something last, in milliseconds since 1970. */
  readonly pendingSince: number | undefined
  /** Sends a cursor of everything that was sent. */
  send (): unknown
  /** Ends it, because that failed. */
  fail (error: unknown): void
}

/** The connections of a node: their number, their clocks, their end. */
export class Connections {
  /** Connections, and the polls that are being answered. */
  readonly registry = new Registry()
  /** How often each is looked at: its `tick`. */
  readonly sweepMs: number
  private readonly open = new Set<Member>()
  private readonly quota: ConnectionQuota
  private draining = false
  private readonly sweeper: NodeJS.Timeout
  private readonly cursorPending = new Set<CursorReader>()
  private readonly cursorSweeper: NodeJS.Timeout

  constructor (limits: ConnectionLimits, heartbeatMs: number) {
    this.quota = new ConnectionQuota(limits)
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

  /** @throws ProtocolError `too_many_connections`, `going_away` */
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
   * PROTOCOL.md, Control: within a second of the last flush. While more comes the cursor goes with that, and costs no write
   * of its own.
   */
  requireCursor (reader: CursorReader): void {
    this.cursorPending.add(reader)
  }

  /** `closing` to all, polls too, with delays spread so that they do not all come back at once. */
  closeAll (reason: CloseReason, spreadMs: number): void {
    this.draining = true
    for (const member of this.registry.all()) {
      member.close({ ...reason, retryAfterMs: Math.round((reason.retryAfterMs ?? 0) + Math.random() * spreadMs) })
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
