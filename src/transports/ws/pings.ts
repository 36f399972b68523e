/** A ping that was not answered. */
interface Ping {
  readonly payload: string
  /** Bytes that were written to the peer up to its end. */
  readonly end: number
}

/** Open pings that are remembered: some peers answer all with an empty payload, which tells of none that it is answered. */
const MAX_OPEN = 32

/** The pings of a connection, and what their answers say of how far the peer has read. */
export class Pings {
  private sent = 0
  private open: Ping[] = []
  /** Bytes of which it is known that the peer has read them: up to the end of the last ping that it answered. */
  private read = 0

  /** The payload of the next ping: an answer repeats it (RFC 6455, 5.5.3), and so tells which one it answers. */
  next (): string {
    return String(++this.sent)
  }

  /** @param end see {@link Ping} */
  markSent (end: number): void {
    // The first stays: how far the peer has come is judged by it.
    if (this.open.length === MAX_OPEN) this.open.splice(1, 1)
    this.open.push({ payload: String(this.sent), end })
  }

  /** An answer may stand for several pings, of which it repeats the last. @returns whether it answers one */
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

  /** The end of the first that is not answered. */
  get due (): number | undefined {
    return this.open[0]?.end
  }

  /** Bytes that stand before that, and may not have been read. */
  get unread (): number {
    return (this.due ?? this.read) - this.read
  }
}
