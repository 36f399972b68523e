/** A ping that was not answered. */
interface Ping {
  readonly payload: string
  /** How many bytes were written to the peer up to the end of this ping. */
  readonly end: number
}

/** How many open pings are remembered. Some peers answer with an empty payload, which closes none of them. */
const MAX_OPEN = 32

/** The pings of one connection. Their answers show how far the peer has read. */
export class Pings {
  private sent = 0
  private open: Ping[] = []
  /** How many bytes the peer has certainly read: those up to the end of the last ping that it answered. */
  private read = 0

  /** Returns the payload of the next ping. The answer to it repeats the payload (RFC 6455, 5.5.3). */
  next (): string {
    return String(++this.sent)
  }

  /** Notes that the last ping was sent. @param end see {@link Ping} */
  markSent (end: number): void {
    // The first open ping stays, because the progress of the peer is judged by it.
    if (this.open.length === MAX_OPEN) this.open.splice(1, 1)
    this.open.push({ payload: String(this.sent), end })
  }

  /**
   * Notes an answer. It may stand for several pings, and then repeats the last of them. Returns whether it
   * answers an open ping.
   */
  answer (payload: string): boolean {
    const index = this.open.findIndex(ping => ping.payload === payload)
    if (index < 0) return false
    this.read = this.open[index]!.end
    this.open = this.open.slice(index + 1)
    return true
  }

  get openCount (): number {
    return this.open.length
  }

  /** The end of the first open ping; undefined if all are answered. */
  get due (): number | undefined {
    return this.open[0]?.end
  }

  /** How many bytes before that end the peer may not have read. */
  get unread (): number {
    return (this.due ?? this.read) - this.read
  }
}
