import { getDefaultHighWaterMark } from 'node:stream'
import type { ControlMessage } from '@tickwire/protocol'
import type { Written } from '../../hub/format.js'
import type { TransportCounters } from '../../metrics/counters.js'
import type { Transport } from '../transport.js'

/** Of answers that are given at once, this many times `maxBufferedBytes` are given to one who does not read them. */
const MAX_UNREAD_FACTOR = 16
/** Below it a socket takes what it is given without ever saying that it has drained: waiting for that would not end. */
const SOCKET_BUFFER_BYTES = getDefaultHighWaterMark(false)

/** All that goes out to one client, in order, counted, and whether it reads it. */
export class Outlet {
  /** Whether anything is written any more. */
  isOpen = true
  /** Milliseconds since 1970. */
  lastSentAt = Date.now()
  /** Unsent bytes beyond which nothing more should be given before the client has read: the transport will say when. */
  readonly enough: number
  readonly knownAtOnce: boolean
  /** Of control messages that were written while more than enough was unsent. */
  private unreadBytes = 0
  private waiting: Array<() => void> = []

  /**
   * @param onUnread called where it goes on asking without reading the answers
   */
  constructor (
    private readonly transport: Transport,
    readonly counters: TransportCounters,
    private readonly maxBufferedBytes: number,
    private readonly onUnread: () => void
  ) {
    this.knownAtOnce = transport.knownAtOnce
    this.enough = Math.max(maxBufferedBytes, SOCKET_BUFFER_BYTES)
  }

  /** Bytes that the system has not taken. */
  get unsent (): number {
    return this.transport.unsent()
  }

  get isFull (): boolean {
    return this.unsent > this.enough
  }

  send (message: ControlMessage): void {
    const { format } = this.transport
    const bytes = format.join([format.control(message)])
    this.write([bytes])
    this.unreadBytes = this.isFull ? this.unreadBytes + bytes.length : 0
    if (this.unreadBytes > MAX_UNREAD_FACTOR * this.maxBufferedBytes) this.onUnread()
  }

  /** Sends messages of topics, in order, as the format has written them. */
  sendWritten (messages: readonly Written[]): void {
    if (messages.length === 0) return
    this.counters.messages += messages.length
    this.write([this.transport.format.join(messages)])
  }

  /** @param now milliseconds since 1970 */
  write (buffers: readonly Buffer[], now = Date.now()): void {
    if (!this.isOpen || buffers.length === 0) return
    this.lastSentAt = now
    for (const { length } of buffers) this.counters.bytes += length
    this.transport.write(buffers)
  }

  /** Resolves when something holds; it is looked at whenever {@link wake} is called. Or when nothing is written any more. */
  async until (holds: () => boolean): Promise<void> {
    while (this.isOpen && !holds()) await new Promise<void>(resolve => { this.waiting.push(resolve) })
  }

  /** The wire has drained, or something else has changed that is waited for. */
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
