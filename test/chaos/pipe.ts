import type { Socket } from 'node:net'

/** What bytes meet on their way, in either direction. */
export interface Pace {
  latencyMs: number
  /** Up to so much more for each piece; the order stays. */
  jitterMs: number
  /** How many bytes pass at once, every {@link SLOW_STEP_MS}. */
  bytesAtOnce: number
}

const SLOW_STEP_MS = 5
/** What waits in a pipe at most, before it reads no more. */
const MOST_QUEUED_BYTES = 256 * 1024

interface Piece {
  readonly due: number
  /** Undefined: the sender has ended (FIN). */
  readonly bytes: Buffer | undefined
}

/** One direction of a connection through the proxy. */
export class Pipe {
  private queue: Piece[] = []
  private queuedBytes = 0
  private lastDue = 0
  private timer: NodeJS.Timeout | undefined
  private isStalled = false
  private isHeld = false
  private isFull = false
  private isDeaf = false

  /** @param random jitter, from 0 to 1 */
  constructor (
    private readonly from: Socket, private readonly to: Socket, private readonly pace: Readonly<Pace>,
    private readonly random: () => number
  ) {
    to.on('drain', () => {
      this.isFull = false
      this.pump()
    })
  }

  push (bytes: Buffer): void {
    if (this.isDeaf) return
    this.add(bytes)
    this.queuedBytes += bytes.length
    if (this.queuedBytes > MOST_QUEUED_BYTES) this.from.pause()
    this.pump()
  }

  /** The sender has ended. What is held back goes out with it. */
  finish (): void {
    if (this.isDeaf) return
    this.isHeld = false
    this.add(undefined)
    this.pump()
  }

  /** Lets no byte pass, and reads none, until {@link goOn}. */
  stall (): void {
    this.isStalled = true
    this.from.pause()
  }

  goOn (): void {
    this.isStalled = false
    this.pump()
    if (this.queuedBytes <= MOST_QUEUED_BYTES) this.from.resume()
  }

  /** Reads and keeps everything, as a proxy that buffers, until {@link release} or the sender's end. */
  hold (): void {
    this.isHeld = true
  }

  release (): void {
    this.isHeld = false
    this.pump()
  }

  /** Reads on and drops what it reads: nobody is told that the other side is gone. */
  deafen (): void {
    this.isDeaf = true
    this.queue = []
    this.queuedBytes = 0
    clearTimeout(this.timer)
    this.from.resume()
  }

  private add (bytes: Buffer | undefined): void {
    const { latencyMs, jitterMs } = this.pace
    this.lastDue = Math.max(this.lastDue, Date.now() + latencyMs + this.random() * jitterMs)
    this.queue.push({ due: this.lastDue, bytes })
  }

  private pump (): void {
    clearTimeout(this.timer)
    while (!this.isStalled && !this.isHeld && !this.isFull) {
      const piece = this.queue[0]
      if (piece === undefined) break
      const wait = piece.due - Date.now()
      if (wait > 0) return this.pumpIn(wait)
      this.queue.shift()
      if (piece.bytes === undefined) this.to.end()
      else if (!this.write(piece.bytes, piece.due)) return this.pumpIn(SLOW_STEP_MS)
    }
    if (!this.isStalled && this.queuedBytes <= MOST_QUEUED_BYTES && this.from.isPaused()) this.from.resume()
  }

  /** @returns whether all of it passed at once */
  private write (bytes: Buffer, due: number): boolean {
    const { bytesAtOnce } = this.pace
    const now = bytes.subarray(0, bytesAtOnce)
    const later = bytes.subarray(now.length)
    this.queuedBytes -= now.length
    if (!this.to.writable) return true
    this.isFull = !this.to.write(now)
    if (later.length === 0) return true
    this.queue.unshift({ due, bytes: later })
    return false
  }

  private pumpIn (ms: number): void {
    this.timer = setTimeout(() => { this.pump() }, ms)
    this.timer.unref()
  }
}
