import { getDefaultHighWaterMark } from 'node:stream'
import type { Transport } from './transport.js'

/** A connection with more than this many times `maxBufferedBytes` unsent, beside what it asked for last, is too slow. */
const MAX_BACKLOG_FACTOR = 16
/** Below it a socket takes what it is given without ever saying that it has drained: waiting for that would not end. */
const SOCKET_BUFFER_BYTES = getDefaultHighWaterMark(false)

/** What was written to a client that it has not read: no reader can make the server grow. */
export class Backlog {
  /** What was unsent behind the last answer, as far as it still is: however long, it makes no slow reader. */
  private answerBytes = 0
  private readonly enough: number

  constructor (private readonly transport: Transport, private readonly maxBufferedBytes: number) {
    this.enough = Math.max(maxBufferedBytes, SOCKET_BUFFER_BYTES)
  }

  /** Whether nothing more should be answered before the client has read: the transport will say when. */
  get isFull (): boolean {
    return this.transport.unsent() > this.enough
  }

  /** What is written next is an answer: what a client asked for and has begun to read, in one piece. */
  beginAnswer (): void {
    this.answerBytes = Infinity
  }

  /** Behind each write: whether the client has to go. It has its cursor, so it loses nothing. */
  tooLong (): boolean {
    const unsent = this.transport.unsent()
    this.answerBytes = Math.min(this.answerBytes, unsent)
    return unsent - this.answerBytes > MAX_BACKLOG_FACTOR * this.maxBufferedBytes
  }
}
