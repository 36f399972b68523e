import type { ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import { sseRetry } from '@tickwire/protocol'
import type { CloseReason, Transport } from '../../connection/transport.js'
import type { Dialect } from '../../dialects/dialect.js'
import type { Format } from '../../hub/format.js'
import type { Liveness } from '../liveness.js'
import { inOwnMemory } from '../own-memory.js'
import { ReadProgress } from '../read-progress.js'
import { SharedJoin } from '../shared-join.js'
import type { ContentCoding } from './content-coding.js'

/** How long a client waits before it reconnects, on average: each gets another time, so that they spread. */
const RETRY_MS = 1000
const jittered = (milliseconds: number): number => milliseconds * (0.5 + Math.random())

/** How long a peer may take to read the end of its stream. */
const CLOSE_TIMEOUT_MS = 5000

const LINE_END = Buffer.from('\r\n')
const NOTHING = Buffer.alloc(0)
const NO_BUFFERS: readonly Buffer[] = []

/** Joins pieces into one chunk of a body (RFC 9112, 7.1). */
const chunks = new SharedJoin(pieces => {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  // An empty chunk would end the body.
  if (length === 0) return NOTHING
  return Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`, 'latin1'), ...pieces, LINE_END])
})

/**
 * The wire to an EventSource. If it can, it writes shared bytes past the response, straight to the socket.
 */
export class EventStreamTransport implements Transport {
  readonly name = 'sse'
  readonly format: Format
  readonly cursorWithEachFlush = true
  readonly knownAtOnce: boolean
  /** What goes out before the first message. Empty once it was sent. */
  private opening: readonly Buffer[]
  private readonly progress: ReadProgress
  /** When the peer was last seen to take something, or had taken everything. */
  heardAt = Date.now()

  /** @param response a response of which only the head has been sent */
  constructor (
    private readonly response: ServerResponse,
    dialect: Dialect,
    private readonly coding: ContentCoding,
    private readonly liveness: Liveness
  ) {
    this.format = dialect.on(coding.events)
    this.knownAtOnce = !(response.socket instanceof TLSSocket)
    // `close` follows each error, and the connection needs no more.
    response.on('error', () => {})
    this.progress = new ReadProgress(liveness.kernelQueues)
    this.opening = [coding.head, coding.encode(sseRetry(jittered(RETRY_MS)))]
  }

  write (messages: readonly Buffer[]): number {
    const { response } = this
    if (response.writableEnded || response.destroyed) return 0
    const buffers = this.opening.length === 0 ? messages : [...this.opening, ...messages]
    this.opening = NO_BUFFERS
    const { socket } = response
    // The response would write a chunk in four pieces. Straight to the socket, it is one.
    if (response.chunkedEncoding && socket !== null) {
      const bytes = chunks.of(buffers)
      socket.write(socket.writableLength === 0 ? bytes : inOwnMemory(bytes))
    } else response.write(Buffer.concat(buffers))
    let length = 0
    for (const buffer of buffers) length += buffer.length
    return length
  }

  unsent (): number {
    return this.response.writableLength
  }

  /** Does nothing, because a client of an event stream sends nothing. */
  pause (): void {}

  close ({ retryAfterMs }: CloseReason, lastWords: Buffer): void {
    const { socket } = this.response
    const retry = retryAfterMs === undefined ? [] : [this.coding.encode(sseRetry(retryAfterMs))]
    this.write([...retry, lastWords])
    this.response.end()
    // A peer that does not read would never take the end.
    setTimeout(() => { socket?.destroy() }, CLOSE_TIMEOUT_MS).unref()
  }

  /**
   * Cuts a peer that acknowledges none of the bytes written to it for two heartbeats, and for no less than
   * the idle timeout (PROTOCOL.md, Liveness).
   */
  tick (now: number, pausedMs: number): void {
    this.heardAt += pausedMs
    const { socket } = this.response
    if (socket === null) return
    if (this.progress.observe(socket, now) !== 'nothing') this.heardAt = now
    const { heartbeatMs, idleTimeoutMs } = this.liveness
    if (now - this.heardAt > Math.max(2 * heartbeatMs, idleTimeoutMs)) this.response.destroy()
  }
}
