import {
  type ControlMessage, type ErrorCode, errorTable, PROTOCOL_NAME, ProtocolError, type RequestId
} from '@tickwire/protocol'
import { ANONYMOUS, endOf, type Identity } from '../auth/identity.js'
import { errorMessage, type Refusal, toProtocolError } from '../errors.js'
import type { Format, Written } from '../hub/format.js'
import type { Hub } from '../hub/hub.js'
import { isoTime } from '../hub/iso-time.js'
import type { TransportCounters } from '../metrics/counters.js'
import type { Connections, Member } from './connections.js'
import { Delivery } from './delivery/delivery.js'
import type { Events, Party } from './events.js'
import { ErrorLimit } from './error-limit.js'
import { MessageRate } from './message-rate.js'
import { Outlet } from './delivery/outlet.js'
import type { ConnectionSlot } from './connection-quota.js'
import type { Publishing } from './publishing.js'
import type { NameContext } from './selectors.js'
import type { Subscriptions } from './delivery/subscriptions.js'
import type { CloseReason, Transport } from './transport.js'

/** Bad messages within a minute after which a connection is closed (PROTOCOL.md, Errors and closing). */
const MAX_BAD_MESSAGES = 10
/** Tokens that are refused within a minute after which one is (PROTOCOL.md, Limits). */
const MAX_BAD_TOKENS = 10
/** Actions that may wait for their turn; beyond it nothing more is read, until half of them are done. */
const MAX_QUEUED_ACTIONS = 64
/** Publishes of a connection that may wait for their answers; beyond them the next one waits for its turn. */
const MAX_OPEN_ANSWERS = 64
/** PROTOCOL.md, Liveness. */
const AUTHENTICATION_MS = 5000
/** How many looks at a connection ahead its heartbeat is sent: the next one, which may be late. */
const LOOKS_AHEAD = 1.5
/** PROTOCOL.md, Control: how long before its token expires a client is told. */
const EXPIRY_NOTICE_MS = 60_000

/** What connections of a node have in common. */
export interface ConnectionContext extends NameContext {
  readonly hub: Hub
  readonly connections: Connections
  readonly events: Events
  readonly publishing: Publishing
  readonly heartbeatMs: number
  readonly idleTimeoutMs: number
  readonly maxSubscriptions: number
  readonly maxMessagesPerSecond: number
  /** Unsent bytes of a connection beyond which it leaves live delivery, and a catch-up waits. */
  readonly maxBufferedBytes: number
  /** Messages of the log that are read and written at a time while catching up. */
  readonly pageMessages: number
  readonly authenticationRequired: boolean
  /** @throws ProtocolError `unauthorized`, `overloaded` */
  verifyToken (token: string): Promise<Identity>
  readonly onError: (error: unknown, message: string) => void
}

/**
 * - `open`: takes part;
 * - `closing`: has been told so, and hears nothing more;
 * - `closed`: the wire is gone.
 */
type State = 'open' | 'closing' | 'closed'

/** How an action takes its turn. */
export interface TurnOptions {
  readonly id?: RequestId | undefined
  /** Whether the client may come back with a cursor for what it asks for: until its catch-up runs, no cursor would cover that. */
  readonly resumes?: boolean
  /** Whether the connection is for this, and ends where it fails. */
  readonly closes?: boolean
  /** Whether it can be done for a client that lags, or waits until that is live again. */
  readonly whileLagging?: boolean
}

/**
 * One client on a stream, whatever wire it came by: what it asks for, who it is, and its end. Actions take effect one
 * after another; a catch-up is part of the action that needs it. What it is sent is its delivery's affair.
 */
export class Connection implements Member {
  readonly format: Format
  readonly delivery: Delivery

  private readonly counters: TransportCounters
  private readonly outlet: Outlet
  private state: State = 'open'
  private who: Identity = ANONYMOUS
  /** Milliseconds since 1970. */
  private endsAt = Infinity
  private expiryTold = false
  private readonly openedAt = Date.now()
  /** Whether the action whose turn it is counts as a resume that no cursor covers. */
  private resumePending = false
  private queue: Promise<void> = Promise.resolve()
  private queued = 0
  private badMessages: ErrorLimit | undefined
  private badTokens: ErrorLimit | undefined
  /** Made with the first message: most clients send none. */
  private rate: MessageRate | undefined
  private subscriptionCount = 0
  /** Answers that come behind the turn of their action. */
  private openAnswers = 0
  /** Why the server closed it. */
  private closedWith: ErrorCode | undefined

  /**
   * @param address where the client comes from
   * @param heartbeatMs how long it may be sent nothing
   */
  constructor (
    readonly id: string,
    private readonly address: string,
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
      this.close({ code: 'overloaded', message: 'the client does not read its answers; connect again with the last cursor' })
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
    connections.add(this)
  }

  get hub (): Hub {
    return this.context.hub
  }

  get subscriptions (): Subscriptions {
    return this.delivery.subscriptions
  }

  get isOpen (): boolean {
    return this.state === 'open'
  }

  get identity (): Identity {
    return this.who
  }

  /** Says who the client is from now on, and so until when it may stay. */
  authenticate (identity: Identity): void {
    this.who = identity
    this.endsAt = endOf(identity, Date.now())
    this.expiryTold = false
  }

  /** Who it is, for the log. */
  get party (): Party {
    return { transport: this.transport.name, address: this.address, user: this.identity.user, connection: this.id }
  }

  welcome (): void {
    this.context.events.connected(this.party)
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

  onDrain (): void {
    this.outlet.wake()
  }

  onClose (): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.counters.closed++
    this.context.events.closed(this.party, this.closedWith, this.subscriptions.size, Date.now() - this.openedAt)
    this.delivery.close()
    this.context.connections.remove(this)
    this.outlet.close()
    this.slot.release()
  }

  /** Runs something after the actions that came before it. */
  enqueue (task: () => Promise<void>, { id, resumes = false, closes = false, whileLagging = false }: TurnOptions = {}): void {
    if (++this.queued === MAX_QUEUED_ACTIONS) this.transport.pause(true)
    if (resumes) this.delivery.cursor.expectResume()
    this.queue = this.queue.then(async () => {
      if (--this.queued === MAX_QUEUED_ACTIONS / 2) this.transport.pause(false)
      // Who does not read its answers gets no more of them.
      await this.outlet.until(() => !this.outlet.isFull && (whileLagging || this.delivery.isLive))
      await this.hub.turns.take(this)
      if (this.state !== 'open') return
      this.resumePending = resumes
      try {
        await task()
      } catch (error) {
        if (closes) {
          this.fail(error)
        } else {
          this.report(error)
          this.sendError(toProtocolError(error), id)
        }
        this.resumeBegan()
      }
    })
  }

  /** Resolves when the action whose turn it is may leave its answer for later; also when the connection ends. */
  async untilAnswersLater (): Promise<void> {
    await this.outlet.until(() => this.openAnswers < MAX_OPEN_ANSWERS)
  }

  /** The answer to an action comes behind its turn, which is over: the next action does not wait for it. */
  answerLater (answer: Promise<ControlMessage>, id: RequestId | undefined): void {
    this.openAnswers++
    void answer.then(message => { this.send(message) }, (error: unknown) => {
      this.report(error)
      this.sendError(toProtocolError(error), id)
    }).catch((error: unknown) => { this.fail(error) }).finally(() => {
      this.openAnswers--
      this.outlet.wake()
    })
  }

  /** The action whose turn it is has its catch-up, which says what a cursor covers; or it was refused. */
  resumeBegan (): void {
    if (this.resumePending) this.delivery.cursor.resumeBegan()
    this.resumePending = false
  }

  /** PROTOCOL.md, Errors and closing: a bad message is answered, and the tenth within a minute is one too many. */
  badMessage (error: ProtocolError, id?: RequestId): void {
    this.sendError(error, id)
    this.badMessages ??= new ErrorLimit(MAX_BAD_MESSAGES)
    if (this.badMessages.add(Date.now())) this.close({ code: 'bad_request', message: 'too many bad messages' })
  }

  /** PROTOCOL.md, Limits: a token that is refused is answered, and who tries one after another is closed: nobody guesses for ever. */
  badToken (error: ProtocolError, id?: RequestId): void {
    this.sendError(error, id)
    this.badTokens ??= new ErrorLimit(MAX_BAD_TOKENS)
    if (this.badTokens.add(Date.now())) this.close({ code: 'unauthorized', message: `${MAX_BAD_TOKENS} tokens were refused within a minute` })
  }

  /**
   * PROTOCOL.md, Limits: whether one more message may be performed. One too many is answered; who goes on regardless is closed.
   * @param id of the message, where it has one
   */
  admits (id: () => RequestId | undefined = () => undefined): boolean {
    const now = Date.now()
    const { maxMessagesPerSecond: limit } = this.context
    this.rate ??= new MessageRate(limit, now)
    const waitMs = this.rate.take(now)
    if (waitMs === 0) return true
    const message = `a connection may send ${limit} messages a second`
    if (waitMs !== undefined) {
      this.sendError({ code: 'rate_limited', message, retryAfterMs: waitMs }, id())
      return false
    }
    this.close({ code: 'rate_limited', message })
    return false
  }

  /** Counts the connection for its user from now on. @throws ProtocolError `too_many_connections` */
  claim (user: string): void {
    this.slot.claim(user)
  }

  nextSubscriptionId (): string {
    return `s${++this.subscriptionCount}`
  }

  // ---- to the client

  send (message: ControlMessage): void {
    this.outlet.send(message)
  }

  sendError (error: Refusal, id?: RequestId): void {
    this.counters.refuse(error.code)
    this.context.events.refused(this.party, error.code)
    this.send(errorMessage(error, id))
  }

  /** Sends messages of topics, in order, as the format has written them. */
  sendWritten (messages: readonly Written[]): void {
    this.outlet.sendWritten(messages)
  }

  /** Resolves when the client is live; also when the connection ends. */
  async untilLive (): Promise<void> {
    await this.outlet.until(() => this.delivery.isLive)
  }

  // ---- time

  get mustAuthenticate (): boolean {
    return this.context.authenticationRequired && this.identity.user === undefined
  }

  tick (now: number, pausedMs: number): void {
    if (this.state !== 'open') return
    const age = now - this.openedAt
    if (this.mustAuthenticate && age > AUTHENTICATION_MS) this.close({ code: 'unauthorized', message: 'not authenticated in time' })
    else if (now >= this.endsAt) this.close({ code: 'unauthorized', message: 'the token has expired' })
    else if (this.subscriptionCount === 0 && age > this.context.idleTimeoutMs) this.close({ code: 'idle_timeout', message: 'nothing was subscribed to' })
    else {
      if (!this.expiryTold && now >= this.endsAt - EXPIRY_NOTICE_MS) this.tellExpiry()
      // Whoever waits just so long must not wait longer: the next look might come too late.
      if (now - this.outlet.lastSentAt + LOOKS_AHEAD * this.context.connections.sweepMs > this.heartbeatMs) this.heartbeat(now)
      this.transport.tick(now, pausedMs)
    }
  }

  private tellExpiry (): void {
    this.expiryTold = true
    this.send({ type: 'auth_expiring', expires_at: isoTime(this.identity.expiresAt ?? this.endsAt) })
  }

  private heartbeat (now: number): void {
    // A client that has not read what was sent needs no sign of life.
    const cursor = this.outlet.isFull ? undefined : this.delivery.cursor.text()
    if (cursor === undefined) return
    this.delivery.cursor.markSent(now)
    this.send({ type: 'heartbeat', timestamp: isoTime(now), cursor })
    if (this.transport.cursorWithEachFlush) this.outlet.write([this.format.cursor(cursor)])
  }

  /** The last word to the client, and the end of the wire. */
  close ({ code, message, retryAfterMs }: CloseReason): void {
    if (this.state !== 'open') return
    const retry = retryAfterMs ?? (errorTable[code].client === 'reconnect' ? Math.round(1000 * (0.5 + Math.random())) : undefined)
    const closing: ControlMessage = {
      type: 'closing', code, reason: message, ...(retry === undefined ? {} : { retry_after_ms: retry })
    }
    this.state = 'closing'
    this.closedWith = code
    this.counters.close(code)
    this.transport.close({ code, message, retryAfterMs: retry }, this.format.join([this.format.control(closing)]))
    this.outlet.close()
  }

  /** Ends the connection because what it is for cannot be done. */
  fail (error: unknown): void {
    this.report(error)
    try {
      this.close(toProtocolError(error))
    } catch (second) {
      // A wire that cannot even be ended is left to itself: nothing more is delivered to it.
      this.report(second)
      this.onClose()
    }
  }

  private report (error: unknown): void {
    if (!(error instanceof ProtocolError)) this.context.onError(error, 'a connection or one of its actions failed')
  }
}
