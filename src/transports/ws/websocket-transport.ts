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
import { PER_MESSAGE_DEFLATE } from './extensions.js'
import { deflatedFrames, plainFrames } from './frame.js'
import { Pings } from './pings.js'

const frames = new SharedJoin(Buffer.concat)

/** How long a peer may take to answer a close frame. */
const CLOSE_TIMEOUT_MS = 5000
/** The same of one that sends too much: its answer would stand behind all that it has sent, so it is not looked for. */
const FLOOD_TIMEOUT_MS = 1000
/** RFC 6455, 5.5: a control frame carries at most 125 bytes, of which the code takes two. */
const MAX_REASON_BYTES = 123

/** What `ws` ends a connection for: too many bytes, and too many fragments, which no table of this protocol has a code for. */
const TOO_BIG: ReadonlySet<string | undefined> = new Set(['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'WS_ERR_TOO_MANY_BUFFERED_PARTS'])

/** RFC 6455, 8.1: the connection must fail; told before, its client knows why. */
const NOT_UTF8 = 'WS_ERR_INVALID_UTF8'

/**
 * How fast a peer reads at least, of whom it cannot be seen: what it, or a proxy before it, has acknowledged and not read. And how much
 * of that there may be, as far as systems let it grow.
 */
const LEAST_BYTES_PER_SECOND = 16 * 1024
const MOST_UNSEEN_BYTES = 8 * 1024 * 1024

/**
 * What `ws` does not declare: shared frames are written past it, straight to its socket, which is right as long as
 * it compresses nothing itself (its own sends are then written at once, too); its receiver, which says that a
 * message is too large, or no text, before `ws` closes on it; and its extensions, which keep what a message was inflated with.
 */
interface Internals {
  readonly _socket: Socket
  readonly _extensions: Readonly<Record<string, { cleanup (): void }>>
  readonly _receiver: { prependListener (event: 'error', listener: (error: Error & { code?: string }) => void): void }
}

export interface WebSocketEvents extends TransportEvents {
  /** A whole message from the client, of text or of bytes. */
  onMessage (message: string | Buffer): void
  /** A ping, which has been answered, or a pong that answers none. */
  onControl (): void
  onTooBig (): void
  /** A text that is not UTF-8: nothing behind it is read. */
  onNotText (): void
}

/** The wire of a WebSocket client. */
export class WebSocketTransport implements Transport {
  readonly name = 'websocket'
  readonly cursorWithEachFlush = false
  readonly knownAtOnce: boolean
  readonly format: Format
  private readonly raw: Socket
  private readonly progress: ReadProgress
  private readonly pings = new Pings()
  private pingedAt = Date.now()
  /** When anything came from it. */
  private heardAt = this.pingedAt
  /** When it was seen to take more of what was written, or had taken all, or no answer of it was due. */
  private takenAt = this.pingedAt
  /** When it was seen to take more of what stands before the first ping that it has not answered. */
  private nearerAt = this.pingedAt

  constructor (private readonly socket: WebSocket, dialect: Dialect, private readonly liveness: Liveness) {
    this.progress = new ReadProgress(liveness.kernelQueues)
    this.format = dialect.on(socket.extensions === PER_MESSAGE_DEFLATE ? deflatedFrames : plainFrames)
    this.raw = (socket as unknown as Internals)._socket
    this.raw.setNoDelay(true)
    this.knownAtOnce = !(this.raw instanceof TLSSocket)
  }

  /** Listens; called in the tick of the upgrade, so that no message is missed. */
  connect (events: WebSocketEvents): void {
    const { _receiver, _extensions: { [PER_MESSAGE_DEFLATE]: inflating } } = this.socket as unknown as Internals
    this.socket.on('message', (data: Buffer, isBinary) => {
      // Without context takeover it is good for nothing more, and would be most of what an idle connection takes.
      inflating?.cleanup()
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
    this.socket.on('close', () => { events.onClose() })
    this.raw.on('drain', () => { events.onDrain() })
    _receiver.prependListener('error', error => {
      if (TOO_BIG.has(error.code)) events.onTooBig()
      else if (error.code === NOT_UTF8) events.onNotText()
    })
  }

  write (buffers: readonly Buffer[]): void {
    if (this.socket.readyState !== this.socket.OPEN) return
    const bytes = buffers.length === 1 ? buffers[0]! : frames.of(buffers)
    this.raw.write(this.raw.writableLength === 0 ? bytes : inOwnMemory(bytes))
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
    const floods = code === 'rate_limited'
    if (floods) this.socket.pause()
    setTimeout(() => { this.socket.terminate() }, floods ? FLOOD_TIMEOUT_MS : CLOSE_TIMEOUT_MS).unref()
  }

  tick (now: number, pausedMs: number): void {
    this.heardAt += pausedMs
    this.takenAt += pausedMs
    this.nearerAt += pausedMs
    // While nothing is read, no sign of life can be.
    if (this.socket.isPaused) this.heardAt = now
    if (this.pings.due === undefined) this.takenAt = now
    else this.lookAtProgress(this.pings.due, now)
    if (this.isGone(now)) this.socket.terminate()
    else if (now - this.pingedAt >= this.liveness.heartbeatMs) this.ping(now)
  }

  private ping (now: number): void {
    this.pingedAt = now
    if (this.pings.due === undefined) this.progress.forget()
    this.socket.ping(this.pings.next())
    this.pings.markSent(this.raw.bytesWritten)
  }

  private lookAtProgress (due: number, now: number): void {
    const { acknowledged } = this.progress
    const taken = this.progress.look(this.raw, now)
    if (taken !== 'nothing') this.takenAt = now
    if (taken === 'some' && acknowledged < due) this.nearerAt = now
  }

  /**
   * PROTOCOL.md, Liveness. A ping stands behind all that was written before it, and a peer cannot answer what it has not read: as long as
   * it takes more of that, it is alive. What it has acknowledged may lie in buffers of its own, where nobody sees it being read.
   */
  private isGone (now: number): boolean {
    const { heardAt, takenAt, nearerAt, pings, liveness: { idleTimeoutMs } } = this
    if (now - heardAt <= idleTimeoutMs) return false
    if (now - takenAt > idleTimeoutMs) return true
    const readingMs = Math.min(pings.unread, MOST_UNSEEN_BYTES) / LEAST_BYTES_PER_SECOND * 1000
    return now - Math.max(heardAt, nearerAt) > idleTimeoutMs + readingMs
  }
}
