import { ProtocolError } from '@tickwire/protocol'
import { type Addressable, Registry } from './registry.js'
import type { CloseReason } from './transport.js'

/** How often connections are looked at for heartbeats, silence and expired tokens. */
const SWEEP_MS = 1000
/** Least time between two cursors of one connection, where they do not go with each flush. */
export const CURSOR_INTERVAL_MS = 1000

export interface ConnectionLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerIp: number
}

/** A connection, as the node's clocks see it. */
export interface Member extends Addressable {
  /** Called about once a second. */
  tick (now: number): void
}

/** What is sent a cursor within a second of all else that it is sent. */
export interface CursorReader {
  /** Milliseconds since 1970. */
  readonly cursorSentAt: number
  /** Nothing happens where its connection is closed. */
  sendCursorIfOwed (): void
}

/** A place that a connection or a held poll takes; given back once. */
export interface Place {
  release (): void
}

/** The connections of a node: their number, their clocks, their end. */
export class Connections {
  /** Connections, and the polls that are being answered. */
  readonly registry = new Registry()
  private readonly open = new Set<Member>()
  private readonly byIp = new Map<string, number>()
  private count = 0
  private draining = false
  private readonly sweeper: NodeJS.Timeout
  /** Those that were given a cursor within the last second, in the order in which they were. */
  private readonly cursorSent = new Set<CursorReader>()
  private cursorTimer: NodeJS.Timeout | undefined

  constructor (private readonly limits: ConnectionLimits, heartbeatMs: number) {
    const period = Math.min(SWEEP_MS, Math.max(10, heartbeatMs / 5))
    this.sweeper = setInterval(() => {
      const now = Date.now()
      for (const connection of this.open) connection.tick(now)
    }, period).unref()
  }

  /** @throws ProtocolError `too_many_connections`, `going_away` */
  reserve (ip: string): Place {
    if (this.draining) throw new ProtocolError('going_away')
    if (this.count >= this.limits.maxConnections) throw new ProtocolError('too_many_connections')
    const held = this.byIp.get(ip) ?? 0
    if (held >= this.limits.maxConnectionsPerIp) throw new ProtocolError('too_many_connections', 'too many connections from this address')
    this.count++
    this.byIp.set(ip, held + 1)
    let released = false
    return {
      release: () => {
        if (released) return
        released = true
        this.count--
        const left = this.byIp.get(ip)! - 1
        if (left === 0) this.byIp.delete(ip)
        else this.byIp.set(ip, left)
      }
    }
  }

  get active (): number {
    return this.count
  }

  add (connection: Member): void {
    this.open.add(connection)
    this.registry.add(connection)
  }

  remove (connection: Member): void {
    this.open.delete(connection)
    this.registry.remove(connection)
  }

  /** Says that a cursor was just sent: another follows within a second of what is sent meanwhile. */
  cursorWasSent (reader: CursorReader): void {
    this.cursorSent.delete(reader)
    this.cursorSent.add(reader)
    this.armCursorTimer()
  }

  /** `closing` to all, polls too, with delays spread so that they do not all come back at once. */
  closeAll (reason: CloseReason, spreadMs: number): void {
    this.draining = true
    for (const member of this.registry.all()) {
      member.close({ ...reason, retryAfterMs: Math.round((reason.retryAfterMs ?? 0) + Math.random() * spreadMs) })
    }
    clearInterval(this.sweeper)
    clearTimeout(this.cursorTimer)
  }

  private armCursorTimer (): void {
    if (this.cursorTimer !== undefined) return
    const [first] = this.cursorSent
    if (first === undefined) return
    const wait = Math.max(0, first.cursorSentAt + CURSOR_INTERVAL_MS - Date.now())
    this.cursorTimer = setTimeout(() => {
      this.cursorTimer = undefined
      const due = Date.now() - CURSOR_INTERVAL_MS
      for (const reader of this.cursorSent) {
        if (reader.cursorSentAt > due) break
        this.cursorSent.delete(reader)
        reader.sendCursorIfOwed()
      }
      this.armCursorTimer()
    }, wait).unref()
  }
}
