import {
  type ControlMessage, type ErrorCode, errorTable, PROTOCOL_NAME, ProtocolError, type RequestId
} from '@tickwire/protocol'
import { ANONYMOUS, endOf, type Identity } from '../auth/identity.js'
import { errorMessage, type Refusal, toProtocolError } from '../errors.js'
import type { Format, Written } from '../hub/format.js'
import type { Hub } from '../hub/hub.js'
import { isoTime } from '../hub/iso-time.js'
import type { TransportCounters } from '../metrics/counters.js'
import { addressGroup } from './address.js'
import { type ActionOwner, ActionQueue } from './action-queue.js'
import type { Observed, StreamState } from './connection-ledger.js'
import type { ConnectionRecord } from './connection-record.js'
import type { ConnectionContext } from './connection-context.js'
import type { Member } from './connections.js'
import { Delivery } from './delivery/delivery.js'
import type { Party } from './events.js'
import { ErrorLimit } from './error-limit.js'
import { MessageRate } from './message-rate.js'
import { Outlet } from './delivery/outlet.js'
import type { ConnectionSlot } from './connection-quota.js'
import type { Subscriptions } from './delivery/subscriptions.js'
import type { CloseReason, Transport } from './transport.js'

/** PROTOCOL.md, Errors and closing: this many bad messages within a minute close a connection. */
const MAX_BAD_MESSAGES = 10
/** PROTOCOL.md, Limits: this many refused tokens within a minute close a connection. */
const MAX_BAD_TOKENS = 10
/** PROTOCOL.md, Liveness: a client that must authenticate has this long to do so. */
const AUTHENTICATION_MS = 5000
/** A heartbeat goes out this many sweeps before it is due, because the next sweep may come late. */
const SWEEPS_AHEAD = 1.5
/** PROTOCOL.md, Control: how long before a token expires the client gets `auth_expiring`. */
const EXPIRY_NOTICE_MS = 60_000
/** The window of `maxMessagesPerSecond`. */
const RATE_WINDOW_MS = 1000

/**
 * - `open`: the server reads what the client sends, and sends to it;
 * - `closing`: the server sent its last message, and ignores what the client still sends;
 * - `closed`: the wire is gone.
 */
type State = 'open' | 'closing' | 'closed'

/**
 * One client on a stream, over whichever transport it came: who it is, what it may do, and how its connection
 * ends. An {@link ActionQueue} performs what the client asks for, and a {@link Delivery} sends what it
 * subscribes to.
 */
export class Connection implements Member, ActionOwner, Observed {
  readonly format: Format
  readonly delivery: Delivery
  readonly actions: ActionQueue

  private readonly counters: TransportCounters
  readonly outlet: Outlet
  private state: State = 'open'
  private currentIdentity: Identity = ANONYMOUS
  /** When the client must leave, in milliseconds since 1970. */
  private endsAt = Infinity
  /** Whether the client was told that its token expires. */
  private expiryAnnounced = false
  readonly openedAt = Date.now()
  private badMessages: ErrorLimit | undefined
  private badTokens: ErrorLimit | undefined
  /** Made with the first message, because most clients send none. */
  private rate: MessageRate | undefined
  private subscriptionCount = 0
  private isUsed = false
  /** Why the server closed the connection; undefined if it did not. */
  private closedWith: ErrorCode | undefined

  /**
   * @param address the IP address that the client comes from
   * @param heartbeatMs how long the server may send nothing to the client
   */
  constructor (
    readonly id: string,
    readonly address: string,
    readonly context: ConnectionContext,
    private readonly transport: Transport,
    private readonly slot: ConnectionSlot,
    private readonly heartbeatMs = context.heartbeatMs
  ) {
    const { hub, connections, maxSubscriptions, maxBufferedBytes, pageMessages } = context
    this.format = transport.format
    this.counters = hub.counters.transport(transport.name)
    this.counters.opened++
    this.outlet = new Outlet(transport, this.counters, maxBufferedBytes, () => {
      const message = 'the client does not read its answers; connect again with the last cursor'
      this.close({ code: 'overloaded', message })
    })
    this.delivery = new Delivery(this.outlet, {
      hub,
      format: transport.format,
      maxSubscriptions,
      pageMessages,
      cursorWithEachFlush: transport.cursorWithEachFlush,
      onCursorPending: reader => { connections.requireCursor(reader) },
      onFailure: error => { this.fail(error) }
    })
    this.actions = new ActionQueue(this, this.outlet)
    connections.add(this)
    connections.ledger.add(this)
  }

  get hub (): Hub {
    return this.context.hub
  }

  get subscriptions (): Subscriptions {
    return this.delivery.subscriptions
  }

  // ---- as operators see it

  get record (): ConnectionRecord {
    return this.outlet.record
  }

  get transportName (): string {
    return this.transport.name
  }

  get heardAt (): number {
    return this.transport.heardAt
  }

  get streamState (): StreamState {
    return this.delivery.streamState
  }

  get unsent (): number {
    return this.outlet.unsent
  }

  get isOpen (): boolean {
    return this.state === 'open'
  }

  get identity (): Identity {
    return this.currentIdentity
  }

  /** Sets who the client is from now on, and so until when it may stay. */
  authenticate (identity: Identity): void {
    this.currentIdentity = identity
    this.endsAt = endOf(identity, Date.now())
    this.expiryAnnounced = false
  }

  /** The client, as the lines of the server's log name it. */
  get party (): Party {
    return {
      transport: this.transport.name,
      address: this.address,
      user: this.identity.user,
      connection: this.id
    }
  }

  noteUser (user: string): void {
    this.record.note({ event: 'authenticate', user_id: user })
  }

  welcome (): void {
    this.context.events.connected(this.party)
    this.record.note({ event: 'connect' }, this.openedAt)
    if (this.identity.user !== undefined) this.noteUser(this.identity.user)
    this.send({
      type: 'welcome',
      protocol: PROTOCOL_NAME,
      connection_id: this.id,
      ...(this.identity.user === undefined ? {} : { user_id: this.identity.user }),
      server_time: isoTime(Date.now()),
      heartbeat_ms: this.heartbeatMs
    })
  }

  // ---- from the client

  pauseReading (paused: boolean): void {
    this.transport.pause(paused)
  }

  onDrain (): void {
    this.outlet.wake()
  }

  /** @param code the close code that the wire ended with, if it has one */
  onClose (code?: number): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.counters.closed++
    const now = Date.now()
    const openMs = now - this.openedAt
    const { closedWith } = this
    const closeCode = closedWith === undefined ? code ?? null : errorTable[closedWith].close
    this.context.connections.ledger.end(this, closeCode, closedWith ?? null, now)
    this.context.events.closed(this.party, this.closedWith, this.subscriptions.size, openMs)
    this.delivery.close()
    this.context.connections.remove(this)
    this.outlet.close()
    this.slot.release()
  }

  /**
   * Answers a bad message. The tenth within a minute closes the connection (PROTOCOL.md, Errors and closing).
   */
  refuseMessage (error: ProtocolError, id?: RequestId): void {
    this.sendError(error, id)
    this.badMessages ??= new ErrorLimit(MAX_BAD_MESSAGES)
    if (!this.badMessages.add(Date.now())) return
    this.close({ code: 'bad_request', message: 'too many bad messages' })
  }

  /**
   * Answers a token that is refused. The tenth within a minute closes the connection, so that nobody can go
   * on guessing (PROTOCOL.md, Limits).
   */
  refuseToken (error: ProtocolError, id?: RequestId): void {
    this.sendError(error, id)
    this.badTokens ??= new ErrorLimit(MAX_BAD_TOKENS)
    if (!this.badTokens.add(Date.now())) return
    this.close({ code: 'unauthorized', message: `${MAX_BAD_TOKENS} tokens were refused within a minute` })
  }

  /**
   * Counts one message of the client, and returns whether the server may perform it. If not, answers it, or
   * closes the connection of a client that goes on regardless (PROTOCOL.md, Limits).
   * @param id returns the id of the message, if it has one
   */
  admitMessage (id: () => RequestId | undefined = () => undefined): boolean {
    const now = Date.now()
    const { maxMessagesPerSecond: limit } = this.context
    this.rate ??= new MessageRate(limit, now)
    const waitMs = this.rate.take(now)
    if (waitMs === 0) return true
    const message = `a connection may send ${limit} messages a second`
    const { user } = this.identity
    const caller = user === undefined ? `address ${addressGroup(this.address)}` : `user ${user}`
    this.context.connections.limited.note('messages', caller, limit, RATE_WINDOW_MS)
    if (waitMs !== undefined) {
      this.sendError({ code: 'rate_limited', message, retryAfterMs: waitMs }, id())
      return false
    }
    this.close({ code: 'rate_limited', message })
    return false
  }

  /** Counts the connection for a user from now on. @throws ProtocolError `too_many_connections` */
  claim (user: string): void {
    this.slot.claim(user)
  }

  nextSubscriptionId (): string {
    this.markUsed()
    return `s${++this.subscriptionCount}`
  }

  /** The client has subscribed, published or sent an order: the connection may stay. */
  markUsed (): void {
    this.isUsed = true
  }

  // ---- to the client

  send (message: ControlMessage): void {
    this.outlet.send(message)
  }

  /** Sends answers that only the client's dialect knows. */
  sendAnswers (answers: readonly Written[]): void {
    this.outlet.sendAnswers(answers)
  }

  sendError (error: Refusal, id?: RequestId): void {
    this.counters.refuse(error.code)
    this.context.events.refused(this.party, error.code)
    this.record.note({ event: 'refuse', code: error.code })
    this.send(errorMessage(error, id))
  }

  /** Sends messages of topics, in order, in the form of the client's dialect. */
  sendWritten (messages: readonly Written[]): void {
    this.outlet.sendWritten(messages)
  }

  /** Whether the client gets what comes at once, and reads it. */
  get keepsUp (): boolean {
    return this.isOpen && this.delivery.isLive && !this.outlet.isFull
  }

  /** Resolves when the client is live, or when the connection ends. */
  async waitUntilLive (): Promise<void> {
    await this.outlet.waitUntil(() => this.delivery.isLive)
  }

  // ---- time

  get mustAuthenticate (): boolean {
    return this.context.authenticationRequired && this.identity.user === undefined
  }

  tick (now: number, pausedMs: number): void {
    if (this.state !== 'open') return
    const overdue = this.overdue(now)
    if (overdue !== undefined) {
      this.close(overdue)
      return
    }
    if (!this.expiryAnnounced && now >= this.endsAt - EXPIRY_NOTICE_MS) this.announceExpiry()
    const silentMs = now - this.outlet.lastSentAt
    if (silentMs + SWEEPS_AHEAD * this.context.connections.sweepMs > this.heartbeatMs) this.sendHeartbeat(now)
    this.transport.tick(now, pausedMs)
  }

  /** Returns why the time of the connection is over; undefined if it is not. */
  private overdue (now: number): CloseReason | undefined {
    const age = now - this.openedAt
    if (this.mustAuthenticate && age > AUTHENTICATION_MS) {
      return { code: 'unauthorized', message: 'the client did not authenticate in time' }
    }
    if (now >= this.endsAt) return { code: 'unauthorized', message: 'the token has expired' }
    if (!this.isUsed && age > this.context.idleTimeoutMs) {
      return { code: 'idle_timeout', message: 'the client did not subscribe or publish in time' }
    }
    return undefined
  }

  private announceExpiry (): void {
    this.expiryAnnounced = true
    this.send({ type: 'auth_expiring', expires_at: isoTime(this.identity.expiresAt ?? this.endsAt) })
  }

  private sendHeartbeat (now: number): void {
    // A client that has not read what was sent needs no sign of life.
    const cursor = this.outlet.isFull ? undefined : this.delivery.cursor.text()
    if (cursor === undefined) return
    this.delivery.cursor.markSent(now)
    this.send({ type: 'heartbeat', timestamp: isoTime(now), cursor })
    if (this.transport.cursorWithEachFlush) this.outlet.write([this.format.cursor(cursor)])
  }

  // ---- the end

  /** Sends `closing` to the client, and ends the wire. */
  close ({ code, message, retryAfterMs }: CloseReason): void {
    if (this.state !== 'open') return
    const jitteredMs = Math.round(1000 * (0.5 + Math.random()))
    const retry = retryAfterMs ?? (errorTable[code].client === 'reconnect' ? jitteredMs : undefined)
    const closing: ControlMessage = {
      type: 'closing', code, reason: message, ...(retry === undefined ? {} : { retry_after_ms: retry })
    }
    this.state = 'closing'
    this.closedWith = code
    this.counters.close(code)
    const lastWords = this.format.join([this.format.control(closing)])
    this.transport.close({ code, message, retryAfterMs: retry }, lastWords)
    this.outlet.close()
  }

  /** Closes the connection because something that it cannot do without has failed. */
  fail (error: unknown): void {
    this.record.note({ event: 'error' })
    this.report(error)
    try {
      this.close(toProtocolError(error))
    } catch (second) {
      // The wire cannot even be ended. Nothing more is delivered to it.
      this.report(second)
      this.onClose()
    }
  }

  /** Reports an error of the server's own, but not a refusal, which the client gets as its answer. */
  report (error: unknown): void {
    if (error instanceof ProtocolError) return
    this.context.onError(error, 'a connection or one of its actions failed')
  }
}
