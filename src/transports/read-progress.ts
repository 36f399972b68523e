import type { Socket } from 'node:net'
import type { KernelQueues } from './sse/kernel-queues.js'
import { untaken } from './untaken.js'

/**
 * What a peer has taken since the last observation: `all` that was written to it, `some` of that, or
 * `nothing` as far as can be seen.
 */
export type Taken = 'all' | 'some' | 'nothing'

/**
 * Observes how far a peer has taken what was written to it, so that a transport can judge whether the peer
 * still reads.
 */
export class ReadProgress {
  /** How many of the written bytes the system had taken before it was last asked. */
  private given: number | undefined
  /** How many of the written bytes the peer has acknowledged at least. With TLS this is a few too low. */
  private leastAcknowledged: number | undefined
  /** Which answer of the system was used last. */
  private lastReading: number

  constructor (private readonly queues: KernelQueues) {
    this.lastReading = queues.readings
  }

  get acknowledged (): number {
    return this.leastAcknowledged ?? 0
  }

  /** Forgets the observations so far, which are too old to be compared with. */
  forget (): void {
    this.given = this.leastAcknowledged = undefined
    this.lastReading = this.queues.readings
  }

  /** Returns what the peer has taken since the last call, and asks the system if its answer is too old. */
  observe (socket: Socket, now: number): Taken {
    const { queues } = this
    const isAsked = queues.isReading
    const waiting = untaken(socket) ?? 0
    const unacknowledged = queues.unacknowledged(socket, now)
    const before = this.leastAcknowledged
    if (queues.readings !== this.lastReading) this.noteAnswer(unacknowledged)
    this.lastReading = queues.readings
    if (!isAsked) this.given = socket.bytesWritten - waiting
    if (waiting === 0 && unacknowledged === 0) return 'all'
    return before !== undefined && this.acknowledged > before ? 'some' : 'nothing'
  }

  /**
   * Notes what an answer of the system says. Leaves out the bytes that the system took while it answered,
   * because the answer may count them or not. If a peer seemed to have acknowledged more than it has, it
   * would seem to stand still until it really has.
   */
  private noteAnswer (unacknowledged: number): void {
    if (this.given === undefined) return
    this.leastAcknowledged = Math.max(this.acknowledged, this.given - unacknowledged)
  }
}
