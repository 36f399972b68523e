import { getDefaultHighWaterMark } from 'node:stream'
import type { ControlMessage } from '@tickwire/protocol'
import type { Written } from '../../hub/format.js'
import type { TransportCounters } from '../../metrics/counters.js'
import { ConnectionRecord } from '../connection-record.js'
import type { Transport } from '../transport.js'

/**
 * A client that keeps asking without reading is closed once its unread answers exceed this many times
 * `maxBufferedBytes`.
 */
const MAX_UNREAD_FACTOR = 16
/** A write smaller than this never triggers `drain`, so waiting for `drain` would hang. */
const SOCKET_BUFFER_BYTES = getDefaultHighWaterMark(false)

/**
 * Writes everything that goes out to one client, in order. Counts it, and tells whether the client reads it.
 */
export class Outlet {
  /** Whether the outlet still writes. Once it is closed, it drops what it is given. */
  isOpen = true
  /** Milliseconds since 1970. */
  lastSentAt = Date.now()
  /** With more unsent bytes than this, callers should wait until the transport reports that it drained. */
  readonly maxUnsent: number
  /** See {@link Transport.knownAtOnce}. */
  readonly knownAtOnce: boolean
  readonly record = new ConnectionRecord()
  /** How many bytes of control messages were written since the outlet became full. */
  private unreadBytes = 0
  private waiting: Array<() => void> = []

  /** @param onUnread called when the client keeps asking without reading the answers */
  constructor (
    private readonly transport: Transport,
    readonly counters: TransportCounters,
    private readonly maxBufferedBytes: number,
    private readonly onUnread: () => void
  ) {
    this.knownAtOnce = transport.knownAtOnce
    this.maxUnsent = Math.max(maxBufferedBytes, SOCKET_BUFFER_BYTES)
  }

  /** How many written bytes the system has not taken yet. */
  get unsent (): number {
    return this.transport.unsent()
  }

  get isFull (): boolean {
    return this.unsent > this.maxUnsent
  }

  send (message: ControlMessage): void {
    this.sendAnswers([this.transport.format.control(message)])
  }

  /** Sends control messages in the form of the client's dialect. */
  sendAnswers (messages: readonly Written[]): void {
    const bytes = this.transport.format.join(messages)
    this.write([bytes])
    this.unreadBytes = this.isFull ? this.unreadBytes + bytes.length : 0
    if (this.unreadBytes > MAX_UNREAD_FACTOR * this.maxBufferedBytes) this.onUnread()
  }

  /** Sends messages of topics, in order, in the form of the client's dialect. */
  sendWritten (messages: readonly Written[]): void {
    if (messages.length === 0) return
    // A dialect of one connection may have nothing to say of a message.
    this.countMessages(messages.reduce((count, message) => message === '' ? count : count + 1, 0))
    this.write([this.transport.format.join(messages)])
  }

  /** Counts data messages and resets that are written. */
  countMessages (count: number): void {
    this.counters.messages += count
    this.record.messagesSent += count
  }

  /** Counts a message of the client, before it is judged. @param bytes without framing */
  countReceived (bytes: number): void {
    const { counters, record } = this
    counters.received++
    counters.receivedBytes += bytes
    record.messagesReceived++
    record.bytesReceived += bytes
  }

  /** @param now milliseconds since 1970 */
  write (buffers: readonly Buffer[], now = Date.now()): void {
    if (!this.isOpen || buffers.length === 0) return
    this.lastSentAt = now
    const bytes = this.transport.write(buffers)
    this.counters.bytes += bytes
    this.record.bytesSent += bytes
  }

  /** Resolves when a condition holds, which every {@link wake} checks again, or when the outlet is closed. */
  async waitUntil (holds: () => boolean): Promise<void> {
    while (this.isOpen && !holds()) await new Promise<void>(resolve => { this.waiting.push(resolve) })
  }

  /** Lets everything that waits check its condition: the wire has drained, or something else has changed. */
  wake (): void {
    const { waiting } = this
    this.waiting = []
    for (const resolve of waiting) resolve()
  }

  close (): void {
    this.isOpen = false
    this.wake()
  }
}
