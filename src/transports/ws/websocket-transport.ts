import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { errorTable } from '@tickwire/protocol'
import type { WebSocket } from 'ws'
import type { CloseReason, Transport, TransportEvents } from '../../connection/transport.js'
import type { Dialect } from '../../dialects/dialect.js'
import type { Format } from '../../hub/format.js'
import type { Liveness } from '../liveness.js'
import { inOwnMemory } from '../own-memory.js'
import { ReadProgress } from '../read-progress.js'
import { SharedJoin } from '../shared-join.js'
import { deflatedArrays, joinArrayFrames } from './array-frames.js'
import { PER_MESSAGE_DEFLATE } from './extensions.js'
import { deflatedFrames, plainFrames } from './frame.js'
import { Pings } from './pings.js'

const frames = new SharedJoin(Buffer.concat)
const arrays = new SharedJoin(joinArrayFrames)

/** How long a peer may take to answer a close frame. */
const CLOSE_TIMEOUT_MS = 5000
/**
 * The same for a peer that sends too much. The server does not look for its close frame, which would stand
 * behind everything else that it sent.
 */
const FLOOD_TIMEOUT_MS = 1000
/** A control frame carries at most 125 bytes (RFC 6455, 5.5), of which the close code takes two. */
const MAX_REASON_BYTES = 123

/**
 * The errors for which `ws` closes a connection: too many bytes, or too many fragments, for which the
 * protocol has no code of its own.
 */
const TOO_BIG: ReadonlySet<string | undefined> = new Set([
  'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'WS_ERR_TOO_MANY_BUFFERED_PARTS'
])

/** The connection must fail then (RFC 6455, 8.1). The client is told why before that. */
const NOT_UTF8 = 'WS_ERR_INVALID_UTF8'

/**
 * A peer, or a proxy before it, may have acknowledged bytes that it has not read yet, and the server cannot
 * see that. The server assumes that such bytes are read at least at this speed, and that there are no more of
 * them than this, because systems let no more pile up.
 */
const LEAST_BYTES_PER_SECOND = 16 * 1024
const MOST_UNSEEN_BYTES = 8 * 1024 * 1024

/** Parts of `ws` that it does not declare. */
interface Internals {
  /**
   * Shared frames are written past `ws`, straight to its socket. That is right as long as `ws` compresses
   * nothing itself: its own sends are then written at once, too.
   */
  readonly _socket: Socket
  /** An extension keeps what it inflated the last message with, until `cleanup`. */
  readonly _extensions: Readonly<Record<string, { cleanup (): void }>>
  /** Reports that a message is too large, or not text, before `ws` closes the connection for it. */
  readonly _receiver: {
    prependListener (event: 'error', listener: (error: Error & { code?: string }) => void): void
  }
}

export interface WebSocketEvents extends TransportEvents {
  /** The client sent a whole message, of text or of bytes. */
  onMessage (message: string | Buffer): void
  /** The client sent a ping, which has been answered, or a pong that answers no ping. */
  onControl (): void
  /** The client sent a message that is too large. Nothing after it is read. */
  onTooBig (): void
  /** The client sent a text that is not UTF-8. Nothing after it is read. */
  onNotText (): void
}

/** The wire to a WebSocket client. */
export class WebSocketTransport implements Transport {
  readonly name = 'websocket'
  readonly cursorWithEachFlush = false
  readonly knownAtOnce: boolean
  readonly format: Format
  private readonly joined: SharedJoin
  private readonly raw: Socket
  private readonly progress: ReadProgress
  private readonly pings = new Pings()
  private pingedAt = Date.now()
  /** When anything last came from the peer. */
  heardAt = this.pingedAt
  /**
   * When the peer was last seen to take more of what was written, or had taken all, or had no ping to answer.
   */
  private takenAt = this.pingedAt
  /** When the peer was last seen to take more of what stands before the first open ping. */
  private nearerAt = this.pingedAt

  constructor (private readonly socket: WebSocket, dialect: Dialect, private readonly liveness: Liveness) {
    this.progress = new ReadProgress(liveness.kernelQueues)
    const deflated = dialect.arrays ? deflatedArrays : deflatedFrames
    this.format = dialect.on(socket.extensions === PER_MESSAGE_DEFLATE ? deflated : plainFrames)
    this.joined = dialect.arrays ? arrays : frames
    this.raw = (socket as unknown as Internals)._socket
    this.raw.setNoDelay(true)
    this.knownAtOnce = !(this.raw instanceof TLSSocket)
  }

  /** Listens to the socket. Must be called in the tick of the upgrade, so that no message is missed. */
  connect (events: WebSocketEvents): void {
    const { _receiver, _extensions } = this.socket as unknown as Internals
    const inflater = _extensions[PER_MESSAGE_DEFLATE]
    this.socket.on('message', (data: Buffer, isBinary) => {
      // Without context takeover the inflater is of no more use, and it would take most of the memory of an
      // idle connection.
      inflater?.cleanup()
      this.heardAt = Date.now()
      events.onMessage(isBinary ? data : data.toString())
    })
    this.socket.on('pong', (data: Buffer) => {
      this.heardAt = Date.now()
      if (!this.pings.answer(data.toString('latin1'))) events.onControl()
    })
    this.socket.on('ping', () => {
      this.heardAt = Date.now()
      events.onControl()
    })
    this.socket.on('close', code => { events.onClose(code) })
    this.raw.on('drain', () => { events.onDrain() })
    _receiver.prependListener('error', error => {
      if (TOO_BIG.has(error.code)) events.onTooBig()
      else if (error.code === NOT_UTF8) events.onNotText()
    })
  }

  write (buffers: readonly Buffer[]): number {
    if (this.socket.readyState !== this.socket.OPEN) return 0
    const bytes = buffers.length === 1 ? buffers[0]! : this.joined.of(buffers)
    this.raw.write(this.raw.writableLength === 0 ? bytes : inOwnMemory(bytes))
    return bytes.length
  }

  unsent (): number {
    return this.raw.writableLength
  }

  pause (paused: boolean): void {
    if (paused) this.socket.pause()
    else this.socket.resume()
  }

  close ({ code, message }: CloseReason, lastWords: Buffer): void {
    this.write([lastWords])
    this.socket.close(errorTable[code].close, Buffer.from(message).subarray(0, MAX_REASON_BYTES))
    const isFlooding = code === 'rate_limited'
    if (isFlooding) this.socket.pause()
    setTimeout(() => { this.socket.terminate() }, isFlooding ? FLOOD_TIMEOUT_MS : CLOSE_TIMEOUT_MS).unref()
  }

  tick (now: number, pausedMs: number): void {
    this.heardAt += pausedMs
    this.takenAt += pausedMs
    this.nearerAt += pausedMs
    // While the server does not read, it cannot see a sign of life.
    if (this.socket.isPaused) this.heardAt = now
    if (this.pings.due === undefined) this.takenAt = now
    else this.observeProgress(this.pings.due, now)
    if (this.isGone(now)) this.socket.terminate()
    else if (now - this.pingedAt >= this.liveness.heartbeatMs) this.ping(now)
  }

  private ping (now: number): void {
    this.pingedAt = now
    if (this.pings.due === undefined) this.progress.forget()
    this.socket.ping(this.pings.next())
    this.pings.markSent(this.raw.bytesWritten)
  }

  private observeProgress (due: number, now: number): void {
    const { acknowledged } = this.progress
    const taken = this.progress.observe(this.raw, now)
    if (taken !== 'nothing') this.takenAt = now
    if (taken === 'some' && acknowledged < due) this.nearerAt = now
  }

  /**
   * Returns whether the peer is gone (PROTOCOL.md, Liveness). A ping stands behind everything that was
   * written before it, and a peer cannot answer a ping that it has not read. As long as the peer takes more
   * of those bytes, it is alive. Bytes that it has acknowledged may lie in buffers of its own, where the
   * server cannot see that they are being read.
   */
  private isGone (now: number): boolean {
    const { heardAt, takenAt, nearerAt, pings, liveness: { idleTimeoutMs } } = this
    if (now - heardAt <= idleTimeoutMs) return false
    if (now - takenAt > idleTimeoutMs) return true
    const readingMs = Math.min(pings.unread, MOST_UNSEEN_BYTES) / LEAST_BYTES_PER_SECOND * 1000
    return now - Math.max(heardAt, nearerAt) > idleTimeoutMs + readingMs
  }
}
