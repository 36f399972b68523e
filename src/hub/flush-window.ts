import { performance } from 'node:perf_hooks'

/** The longest window of `auto`. */
const MAX_WINDOW_MS = 50
/** Share of its time that the event loop may be busy until windows grow, and at which they are longest. */
const BUSY = 0.6
const FULL = 0.95
/** The longest window of a loop that has time, to save work; and the share of its time that a write for each message would take, from and up to where. */
const SAVING_WINDOW_MS = 16
const SAVES = 0.4
const SAVES_MOST = 1
/** Over how long the loop's utilization is taken, and how often it is looked at. */
const MEMORY_MS = 150
const LOOK_MS = 20

/** What a flush has done. */
export interface Flushed {
  /** Messages that were delivered, over all subscribers. */
  readonly messages: number
  /** Subscribers that were written to. */
  readonly writes: number
}

/** The event loop as a window sees it; given from outside, so that tests are exact. */
export interface LoopMeter {
  /** Milliseconds, from any beginning. */
  now (): number
  /** Share of its time that the loop was busy since it was asked last. */
  utilization (): number
}

class EventLoopMeter implements LoopMeter {
  private seen = performance.eventLoopUtilization()

  now (): number {
    return performance.now()
  }

  utilization (): number {
    const before = this.seen
    this.seen = performance.eventLoopUtilization()
    return performance.eventLoopUtilization(this.seen, before).utilization
  }
}

/**
 * When the next window ends. A fixed one ends so many milliseconds after its first message, 0: on the next tick. With
 * `auto` a message leaves on the next tick while the process has time; as that runs out, windows grow, so that each write
 * carries more: by the loop's own utilization, and at least to what the last flush took.
 */
export class FlushWindow {
  private timer: NodeJS.Timeout | NodeJS.Immediate | undefined
  private immediate = false
  private beganAt = 0
  private widthMs = 0
  private busy = 0
  /** Since it was looked at last. */
  private costMs = 0
  private messages = 0
  private writes = 0
  /** Share of the loop's time that a write for each message would take. */
  private oneByOne = 0
  private lookedAt: number

  constructor (private readonly flushMs: number | 'auto', private readonly flush: () => Flushed, private readonly loop: LoopMeter = new EventLoopMeter()) {
    this.lookedAt = loop.now()
  }

  /** Milliseconds that messages are gathered for at present. */
  get width (): number {
    return this.flushMs === 'auto' ? this.widthMs : this.flushMs
  }

  /** Something waits to be flushed. */
  schedule (): void {
    if (this.timer !== undefined) return
    const wait = this.flushMs === 'auto' ? this.widthMs - (this.loop.now() - this.beganAt) : this.flushMs
    this.immediate = this.flushMs === 'auto' ? wait < 1 : wait === 0
    this.timer = this.immediate ? setImmediate(() => { this.end() }) : setTimeout(() => { this.end() }, wait)
  }

  /** What was scheduled is not to come, because it is done otherwise. */
  cancel (): void {
    if (this.timer === undefined) return
    if (this.immediate) clearImmediate(this.timer as NodeJS.Immediate)
    else clearTimeout(this.timer as NodeJS.Timeout)
    this.timer = undefined
  }

  private end (): void {
    this.timer = undefined
    if (this.flushMs !== 'auto') {
      this.flush()
      return
    }
    this.beganAt = this.loop.now()
    const { messages, writes } = this.flush()
    const now = this.loop.now()
    const cost = now - this.beganAt
    this.costMs += cost
    this.messages += messages
    this.writes += writes
    this.adapt(now, cost)
  }

  private adapt (now: number, cost: number): void {
    const since = now - this.lookedAt
    if (since >= LOOK_MS) {
      const news = 1 - Math.exp(-since / MEMORY_MS)
      this.busy += (this.loop.utilization() - this.busy) * news
      this.oneByOne += (this.messages * this.costMs / Math.max(1, this.writes) / since - this.oneByOne) * news
      this.costMs = this.messages = this.writes = 0
      this.lookedAt = now
    }
    const short = within(this.busy, BUSY, FULL)
    const saving = within(this.oneByOne, SAVES, SAVES_MOST)
    this.widthMs = Math.min(MAX_WINDOW_MS, Math.max(cost, MAX_WINDOW_MS * short * short, SAVING_WINDOW_MS * saving * saving))
  }
}

/** How far a value is from one bound to another, as a share. */
const within = (value: number, from: number, to: number): number => Math.min(1, Math.max(0, (value - from) / (to - from)))
