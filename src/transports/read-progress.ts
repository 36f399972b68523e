import type { Socket } from 'node:net'
import type { KernelQueues } from './sse/kernel-queues.js'
import { untaken } from './untaken.js'

/** What a peer has taken since it was looked at last: `all` that was written to it, `some` of that, or `nothing` that could be seen. */
export type Taken = 'all' | 'some' | 'nothing'

/** How far a peer has taken what was written to it, for a transport that judges whether the peer still reads. */
export class ReadProgress {
  /** Bytes that the system had been given before it was asked last. */
  private given: number | undefined
  /** Of all that was written, so many bytes at least were acknowledged. With TLS a few less are seen than there are. */
  private least: number | undefined
  /** Which answer of the system was seen last. */
  private seen: number

  constructor (private readonly queues: KernelQueues) {
    this.seen = queues.readings
  }

  get acknowledged (): number {
    return this.least ?? 0
  }

  /** What was seen so far is too long ago to be compared with. */
  forget (): void {
    this.given = this.least = undefined
    this.seen = this.queues.readings
  }

  look (socket: Socket, now: number): Taken {
    const { queues } = this
    const isAsked = queues.isReading
    const waiting = untaken(socket) ?? 0
    const held = queues.unacknowledged(socket, now)
    const before = this.least
    if (queues.readings !== this.seen) this.note(held)
    this.seen = queues.readings
    if (!isAsked) this.given = socket.bytesWritten - waiting
    if (waiting === 0 && held === 0) return 'all'
    return before !== undefined && this.acknowledged > before ? 'some' : 'nothing'
  }

  /**
   * What was given while the system answered may be in its answer or not. It is left out: a peer that seemed to have acknowledged more than
   * it has would seem to stand still until it has.
   */
  private note (held: number): void {
    if (this.given !== undefined) this.least = Math.max(this.acknowledged, this.given - held)
  }
}
