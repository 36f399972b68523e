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

/** How long a client waits before it connects again; each its own, so that they do not all come at once. */
const RETRY_MS = 1000
const jittered = (milliseconds: number): number => milliseconds * (0.5 + Math.random())

/** How long a peer may take to read the end. */
const CLOSE_TIMEOUT_MS = 5000

const LINE_END = Buffer.from('\r\n')
const NOTHING = Buffer.alloc(0)
const NO_BUFFERS: readonly Buffer[] = []

/** RFC 9112, 7.1. */
const chunks = new SharedJoin(pieces => {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  // A chunk of nothing would be the end of the body.
  return length === 0 ? NOTHING : Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`, 'latin1'), ...pieces, LINE_END])
})

/** The wire of an EventSource: shared bytes go straight into the response that was opened for it. */
export class EventStreamTransport implements Transport {
  readonly name = 'sse'
  readonly format: Format
  readonly cursorWithEachFlush = true
  readonly knownAtOnce: boolean
  /** What goes before the first message, until it has gone. */
  private opening: readonly Buffer[]
  private readonly progress: ReadProgress
  private progressAt = Date.now()

  /** @param response its head has been sent, and nothing else */
  constructor (
    private readonly response: ServerResponse, dialect: Dialect, private readonly coding: ContentCoding, private readonly liveness: Liveness
  ) {
    this.format = dialect.on(coding.events)
    this.knownAtOnce = !(response.socket instanceof TLSSocket)
    // An error is followed by close, which says all that matters.
    response.on('error', () => {})
    this.progress = new ReadProgress(liveness.kernelQueues)
    this.opening = [coding.head, coding.encode(sseRetry(jittered(RETRY_MS)))]
  }

  write (messages: readonly Buffer[]): void {
    const { response } = this
    if (response.writableEnded || response.destroyed) return
    const buffers = this.opening.length === 0 ? messages : [...this.opening, ...messages]
    this.opening = NO_BUFFERS
    const { socket } = response
    // As one chunk of the body straight to the socket: the response would write it in four pieces.
    if (response.chunkedEncoding && socket !== null) {
      const bytes = chunks.of(buffers)
      socket.write(socket.writableLength === 0 ? bytes : inOwnMemory(bytes))
    } else response.write(Buffer.concat(buffers))
  }

  unsent (): number {
    return this.response.writableLength
  }

  /** A client of an event stream sends nothing. */
  pause (): void {}

  close ({ retryAfterMs }: CloseReason, lastWords: Buffer): void {
    const { socket } = this.response
    this.write(retryAfterMs === undefined ? [lastWords] : [this.coding.encode(sseRetry(retryAfterMs)), lastWords])
    this.response.end()
    // A peer that does not read never takes the end.
    setTimeout(() => { socket?.destroy() }, CLOSE_TIMEOUT_MS).unref()
  }

  /** PROTOCOL.md, Liveness: a peer is dead when written bytes stay unacknowledged for two heartbeats. */
  tick (now: number, pausedMs: number): void {
    this.progressAt += pausedMs
    const { socket } = this.response
    if (socket === null) return
    if (this.progress.look(socket, now) !== 'nothing') this.progressAt = now
    const { heartbeatMs, idleTimeoutMs } = this.liveness
    if (now - this.progressAt > Math.max(2 * heartbeatMs, idleTimeoutMs)) this.response.destroy()
  }
}
