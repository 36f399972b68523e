import type { Cancel, Clock } from './clock.js'

/** How many messages a venue takes in a time. */
export interface Pace {
  readonly messages: number
  readonly perMs: number
}

/** The most messages that wait; a venue gets no more than a subscription and a resync of each symbol. */
const MAX_WAITING = 10_000

/** Sends messages no faster than the venue takes them, in order. */
export class PacedSender {
  private readonly waiting: string[] = []
  /** When the newest messages were sent, oldest first; as many as the pace allows at once. */
  private readonly sentAt: number[] = []
  private cancel: Cancel | undefined

  /** @param transmit sends a message at once */
  constructor (
    private readonly clock: Clock,
    private readonly pace: Pace,
    private readonly transmit: (text: string) => void
  ) {}

  /** Drops the message if too many wait already. */
  send (text: string): void {
    if (this.waiting.length >= MAX_WAITING) return
    this.waiting.push(text)
    this.flush()
  }

  /** Drops what waits: the connection is gone. */
  clear (): void {
    this.waiting.length = 0
    this.sentAt.length = 0
    this.cancel?.()
    this.cancel = undefined
  }

  private flush (): void {
    if (this.cancel !== undefined) return
    const { clock, pace: { messages, perMs }, sentAt, waiting } = this
    while (waiting.length > 0) {
      const now = clock.now()
      while (sentAt.length > 0 && sentAt[0]! <= now - perMs) sentAt.shift()
      if (sentAt.length >= messages) {
        this.cancel = clock.after(sentAt[0]! + perMs - now, () => {
          this.cancel = undefined
          this.flush()
        })
        return
      }
      sentAt.push(now)
      this.transmit(waiting.shift()!)
    }
  }
}
