import {
  type ControlMessage, errorTable, PROTOCOL_NAME, ProtocolError, type RequestId
} from '@tickwire/protocol'
import { ANONYMOUS, type Identity } from '../auth/identity.js'
import { errorMessage, toProtocolError } from '../errors.js'
import type { CatchUp } from '../hub/catch-up.js'
import { isoTime, type MessageEncoder } from '../hub/frame.js'
import type { Hub } from '../hub/hub.js'
import { leastOf } from '../hub/plan.js'
import type { Selection, Selector } from '../hub/selector.js'
import type { Subscriber } from '../hub/subscriber.js'
import type { TopicBytes } from '../hub/topic-bytes.js'
import type { TransportCounters } from '../metrics/counters.js'
import { Backlog } from './backlog.js'
import { type Connections, CURSOR_INTERVAL_MS, type Member } from './connections.js'
import type { NameContext } from './selectors.js'
import { Subscriptions } from './subscriptions.js'
import type { CloseReason, Transport } from './transport.js'

/** Messages of the log that are read and written at a time while catching up. */
const PAGE_MESSAGES = 500
/** Bad messages within {@link BAD_MESSAGE_WINDOW_MS} after which a connection is closed (PROTOCOL.md, Errors and closing). */
const MAX_BAD_MESSAGES = 10
const BAD_MESSAGE_WINDOW_MS = 60_000
/** Actions that may wait for their turn; beyond it nothing more is read, until half of them are done. */
const MAX_QUEUED_ACTIONS = 64
/** PROTOCOL.md, Liveness. */
const AUTHENTICATION_MS = 5000

/** What connections of a node have in common. */
export interface ConnectionContext extends NameContext {
  readonly hub: Hub
  readonly connections: Connections
  readonly heartbeatMs: number
  readonly idleTimeoutMs: number
  readonly maxSubscriptions: number
  /** Unsent bytes of a connection past which a catch-up waits. */
  readonly maxBufferedBytes: number
  readonly authenticationRequired: boolean
  /** @throws ProtocolError `unauthorized` */
  verifyToken (token: string): Promise<Identity>
  readonly onError: (error: unknown, message: string) => void
}

/**
 * - `open`: takes part;
 * - `closing`: has been told so, and hears nothing more;
 * - `closed`: the wire is gone.
 */
type State = 'open' | 'closing' | 'closed'

/**
 * One client on a stream: what it subscribes to and how far it has been sent, whatever wire it came by. Actions
 * take effect one after another; a catch-up is part of the action that needs it.
 */
export class Connection implements Subscriber, Member {
  readonly format
  identity: Identity = ANONYMOUS
  lostTopics: number | undefined
  settledAt = 0
  /** Milliseconds since 1970. */
  cursorSentAt = 0
  readonly subscriptions: Subscriptions

  private readonly counters: TransportCounters
  private state: State = 'open'
  private window: Buffer[] = []
  private readonly openedAt = Date.now()
  private lastSentAt = this.openedAt
  private cursorOwed = false
  private catchUp: CatchUp | undefined
  /** What goes behind the positions of its cursors while no catch-up is under way. */
  private marks = ''
  /** Subscribes with a position whose catch-up does not run yet: a cursor now would not cover them. */
  private pendingResumes = 0
  /** Whether the action whose turn it is counts as one of them. */
  private resumePending = false
  private queue: Promise<void> = Promise.resolve()
  private queued = 0
  private badMessages: number[] = []
  private readonly backlog: Backlog
  private drained: (() => void) | undefined
  private subscriptionCount = 0

  constructor (
    readonly id: string,
    readonly context: ConnectionContext,
    private readonly transport: Transport,
    private readonly onClosed: () => void
  ) {
    this.format = transport.format
    this.backlog = new Backlog(transport, context.maxBufferedBytes)
    this.counters = context.hub.counters.transport(transport.name)
    this.counters.opened++
    this.subscriptions = new Subscriptions(context.hub, this, context.maxSubscriptions)
    context.connections.add(this)
  }

  get hub (): Hub {
    return this.context.hub
  }

  get encoder (): MessageEncoder {
    return this.hub.encoders[this.format.decimals]
  }

  get isOpen (): boolean {
    return this.state === 'open'
  }

  welcome (): void {
    this.send({
      type: 'welcome',
      protocol: PROTOCOL_NAME,
      connection_id: this.id,
      ...(this.identity.user === undefined ? {} : { user_id: this.identity.user }),
      server_time: isoTime(Date.now()),
      heartbeat_ms: this.context.heartbeatMs
    })
  }

  // ---- from the client

  onDrain (): void {
    const { drained } = this
    this.drained = undefined
    drained?.()
  }

  onClose (): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.counters.closed++
    this.subscriptions.detach(this.subscriptions.selectors())
    this.context.connections.remove(this)
    this.onDrain()
    this.onClosed()
  }

  /**
   * Runs something after the actions that came before it.
   * @param resumes whether the client may come back with a cursor for what it asks for here: until its catch-up runs,
   * no cursor would cover that
   * @param closes whether the connection is for this, and ends where it fails
   */
  enqueue (task: () => Promise<void>, { id, resumes = false, closes = false }: { id?: RequestId | undefined, resumes?: boolean, closes?: boolean } = {}): void {
    if (++this.queued === MAX_QUEUED_ACTIONS) this.transport.pause(true)
    if (resumes) this.pendingResumes++
    this.queue = this.queue.then(async () => {
      if (--this.queued === MAX_QUEUED_ACTIONS / 2) this.transport.pause(false)
      // Who does not read its answers gets no more of them.
      await this.whenWritable()
      if (this.state !== 'open') return
      this.resumePending = resumes
      try {
        await task()
      } catch (error) {
        if (!(error instanceof ProtocolError)) this.context.onError(error, 'an action failed')
        if (closes) this.close(toProtocolError(error))
        else this.sendError(toProtocolError(error), id)
        this.resumeBegan()
        this.sendCursorIfOwed()
      }
    })
  }

  /** From here on the catch-up says what a cursor covers; or the resume was refused. */
  private resumeBegan (): void {
    if (this.resumePending) this.pendingResumes--
    this.resumePending = false
  }

  /** PROTOCOL.md, Errors and closing: a bad message is answered, and the tenth within a minute is one too many. */
  badMessage (error: ProtocolError, id?: RequestId): void {
    const now = Date.now()
    this.badMessages = this.badMessages.filter(time => time > now - BAD_MESSAGE_WINDOW_MS)
    this.badMessages.push(now)
    this.sendError(error, id)
    if (this.badMessages.length >= MAX_BAD_MESSAGES) this.close({ code: 'bad_request', message: 'too many bad messages' })
  }

  // ---- to the client

  send (message: ControlMessage): void {
    this.write([this.format.encode([JSON.stringify(message)])])
  }

  sendError (error: ProtocolError, id?: RequestId): void {
    this.counters.refuse(error.code)
    this.send(errorMessage(error, id))
  }

  /** What an action or a catch-up answers: JSON texts, in order. */
  sendTexts (texts: readonly string[]): void {
    if (texts.length === 0) return
    this.counters.messages += texts.length
    this.backlog.beginAnswer()
    this.write([this.format.encode(texts)])
  }

  deliver (bytes: TopicBytes): boolean {
    const buffer = bytes.as(this.format)
    this.counters.messages += bytes.messages
    return this.window.push(buffer) === 1
  }

  flush (): void {
    const buffers = this.window
    this.window = []
    if (this.state !== 'open') return
    const now = Date.now()
    if (this.transport.cursorWithEachFlush || now - this.cursorSentAt >= CURSOR_INTERVAL_MS) {
      const cursor = this.cursorFrame()
      this.cursorOwed = cursor === undefined
      if (cursor !== undefined) {
        buffers.push(cursor)
        this.noteCursor(now)
      }
    } else {
      this.cursorOwed = true
    }
    this.write(buffers)
  }

  epochChanged (): void {
    // A catch-up under way tells of the epoch itself, behind its resets.
    if (this.catchUp === undefined) this.sendEpoch(this.hub.epochText())
    this.sendCursor()
  }

  sendCursorIfOwed (): void {
    if (this.cursorOwed) this.sendCursor()
  }

  /** The cursor of all that has been sent, where there is one now. */
  sendCursor (): void {
    const frame = this.cursorFrame()
    if (frame === undefined || this.state !== 'open') return
    this.noteCursor(Date.now())
    this.write([frame])
  }

  private sendEpoch (epoch: string): void {
    this.send({ type: 'epoch', epoch })
  }

  private write (buffers: readonly Buffer[]): void {
    if (this.state !== 'open' || buffers.length === 0) return
    this.lastSentAt = Date.now()
    for (const { length } of buffers) this.counters.bytes += length
    this.transport.write(buffers)
    if (this.backlog.tooLong()) this.close({ code: 'overloaded', message: 'the client reads too slowly; connect again with the last cursor' })
  }

  private noteCursor (now: number): void {
    this.cursorOwed = false
    this.cursorSentAt = now
    if (!this.transport.cursorWithEachFlush) this.context.connections.cursorWasSent(this)
  }

  private cursorFrame (): Buffer | undefined {
    if (this.catchUp === undefined && this.pendingResumes === 0) return this.hub.cursorFrame(this.format, this.marks)
    const text = this.cursorText()
    return text === undefined ? undefined : this.format.encodeCursor(text)
  }

  /** Undefined while no cursor would cover all that the client asked for. */
  private cursorText (): string | undefined {
    if (this.pendingResumes > 0) return undefined
    if (this.catchUp === undefined) return this.hub.cursorText(this.marks)
    const offsets = this.catchUp.offsets()
    if (offsets === undefined) return undefined
    const earliest = offsets.map((offset, shard) => Math.min(offset, this.hub.shards[shard]!.flushed))
    return this.hub.positionAt(earliest) + this.subscriptions.marks(leastOf(this.lostTopics, this.catchUp.lostTopics))
  }

  // ---- subscriptions

  nextSubscriptionId (): string {
    return `s${++this.subscriptionCount}`
  }

  /** Live delivery of some selectors begins with the next window; one that was there changes its options. */
  attach (selectors: readonly Selector[]): void {
    this.settle()
    this.subscriptions.attach(selectors)
    this.marks = this.subscriptions.marks(this.lostTopics)
  }

  detach (selectors: readonly Selector[]): void {
    this.settle()
    this.subscriptions.detach(selectors)
    this.marks = this.subscriptions.marks(this.lostTopics)
  }

  /** Sends what is throttled and pending: after it, the client stands where the hub stands. */
  settle (): void {
    this.hub.settle(this, this.subscriptions.reduced)
    this.write(this.window.splice(0))
  }

  /** All that is being sent live. */
  live (): Selection {
    return this.subscriptions.selection()
  }

  /**
   * Sends what a catch-up holds, slice by slice as fast as the client reads, then hands over to live delivery.
   * @param coming what will be live then
   * @param joinLive called in the tick in which all has been sent
   */
  async follow (catchUp: CatchUp, coming: readonly Selector[], joinLive: () => void): Promise<void> {
    this.catchUp = catchUp
    this.resumeBegan()
    if (catchUp.resumes) this.counters.resumes++
    else this.counters.fresh++
    this.subscriptions.expect(coming)
    try {
      let first = true
      // Whatever was waited for, the wire may be gone since: nothing would ever take it off the hub again.
      while (this.state === 'open') {
        const rest = catchUp.join(PAGE_MESSAGES)
        if (rest !== undefined) {
          // What is pending of topics whose state comes now must come before it.
          this.settle()
          this.sendTexts(rest)
          this.lostTopics = leastOf(this.lostTopics, catchUp.lostTopics)
          this.catchUp = undefined
          joinLive()
          if (first || this.transport.cursorWithEachFlush || Date.now() - this.cursorSentAt >= CURSOR_INTERVAL_MS) this.sendCursor()
          else if (rest.length > 0) this.cursorOwed = true
          return
        }
        const slice = await catchUp.next(PAGE_MESSAGES)
        this.sendTexts(slice.states)
        if (slice.newEpoch !== undefined) this.sendEpoch(slice.newEpoch)
        this.sendTexts(slice.messages)
        if (slice.states.length + slice.messages.length > 0) this.cursorOwed = true
        // PROTOCOL.md, Control: one at once after the snapshots, then at most once a second.
        if (slice.messages.length > 0 && (first || this.transport.cursorWithEachFlush || Date.now() - this.cursorSentAt >= CURSOR_INTERVAL_MS)) {
          first = false
          this.sendCursor()
        }
        await this.whenWritable()
        await catchUp.prepareToJoin()
      }
    } catch (error) {
      // The client was told that it has this: it comes back with its cursor for what it was not sent.
      if (error instanceof ProtocolError) this.close(error); else throw error
    } finally {
      this.catchUp = undefined
      this.subscriptions.expect([])
    }
  }

  private async whenWritable (): Promise<void> {
    while (this.state === 'open' && this.backlog.isFull) {
      await new Promise<void>(resolve => { this.drained = resolve })
    }
  }

  // ---- time

  get mustAuthenticate (): boolean {
    return this.context.authenticationRequired && this.identity.user === undefined
  }

  tick (now: number): void {
    if (this.state !== 'open') return
    const age = now - this.openedAt
    if (this.mustAuthenticate && age > AUTHENTICATION_MS) this.close({ code: 'unauthorized', message: 'not authenticated in time' })
    else if (this.identity.expiresAt !== undefined && now >= this.identity.expiresAt) this.close({ code: 'unauthorized', message: 'the token has expired' })
    else if (this.subscriptionCount === 0 && age > this.context.idleTimeoutMs) this.close({ code: 'idle_timeout', message: 'nothing was subscribed to' })
    else {
      if (now - this.lastSentAt >= this.context.heartbeatMs) this.heartbeat(now)
      this.transport.tick(now)
    }
  }

  private heartbeat (now: number): void {
    const cursor = this.cursorText()
    if (cursor === undefined) return
    this.noteCursor(now)
    this.send({ type: 'heartbeat', timestamp: isoTime(now), cursor })
    if (this.transport.cursorWithEachFlush) this.write([this.format.encodeCursor(cursor)])
  }

  /** The last word to the client, and the end of the wire. */
  close ({ code, message, retryAfterMs }: CloseReason): void {
    if (this.state !== 'open') return
    const retry = retryAfterMs ?? (errorTable[code].client === 'reconnect' ? Math.round(1000 * (0.5 + Math.random())) : undefined)
    const closing: ControlMessage = {
      type: 'closing', code, reason: message, ...(retry === undefined ? {} : { retry_after_ms: retry })
    }
    this.state = 'closing'
    this.counters.close(code)
    this.transport.close({ code, message, retryAfterMs: retry }, this.format.encode([JSON.stringify(closing)]))
    this.onDrain()
  }
}
