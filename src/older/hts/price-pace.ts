import type { Written } from '../../hub/format.js'

/** A client of `/api/ws` gets each symbol at most once in this time. */
const INTERVAL_MS = 1000
/** Prices that become due within this time go out together. */
const TOGETHER_MS = 50

/**
 * Sends each price at most once a second. The hub throttles prices as well, but sends some of them early: the
 * first state, and what is pending when a client changes its subscriptions. Such a price waits here, and a
 * newer one takes its place; so there is at most one for each symbol that the client has asked for.
 */
export class PricePace {
  /** By topic, when its last price went out, or when it began. */
  private readonly sentAt = new Map<string, number>()
  private readonly waiting = new Map<string, () => Written>()
  private timer: NodeJS.Timeout | undefined

  /**
   * @param send sends messages, and returns whether it did: not to a client that does not read
   * @param now milliseconds of a clock that never goes back
   */
  constructor (
    private readonly send: (messages: readonly Written[]) => boolean,
    private readonly now: () => number = () => performance.now()
  ) {}

  /** Begins a topic: its first price comes within a second, so that the answers to its client come before. */
  begin (topic: string): void {
    if (!this.sentAt.has(topic)) this.sentAt.set(topic, this.now())
  }

  /**
   * Returns what a price is written as, if it is due; otherwise keeps it until it is, and returns nothing.
   * @param write depends on what is asked for then
   */
  take (topic: string, write: () => Written): Written {
    const now = this.now()
    const due = this.dueAt(topic)
    if (due <= now) {
      this.sentAt.set(topic, now)
      this.waiting.delete(topic)
      return write()
    }
    this.waiting.set(topic, write)
    this.schedule(due - now)
    return ''
  }

  /** Forgets topics that are not asked for any more. */
  forget (isLeft: (topic: string) => boolean): void {
    for (const topic of this.waiting.keys()) if (!isLeft(topic)) this.waiting.delete(topic)
    // A client that asks for it again at once is not sent it earlier for that.
    const now = this.now()
    for (const topic of this.sentAt.keys()) {
      if (!isLeft(topic) && this.dueAt(topic) <= now) this.sentAt.delete(topic)
    }
  }

  close (): void {
    clearTimeout(this.timer)
    this.waiting.clear()
  }

  private dueAt (topic: string): number {
    return (this.sentAt.get(topic) ?? -Infinity) + INTERVAL_MS
  }

  private schedule (waitMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.sendDue()
    }, Math.max(waitMs, TOGETHER_MS)).unref()
  }

  private sendDue (): void {
    const now = this.now()
    const due = Array.from(this.waiting).filter(([topic]) => this.dueAt(topic) <= now)
    const isSent = due.length === 0 || this.send(due.map(([, write]) => write()))
    if (isSent) {
      for (const [topic] of due) {
        this.waiting.delete(topic)
        this.sentAt.set(topic, now)
      }
    }
    if (this.waiting.size === 0) return
    let next = Infinity
    for (const topic of this.waiting.keys()) next = Math.min(next, this.dueAt(topic))
    this.schedule(isSent ? next - now : INTERVAL_MS)
  }
}
