import { performance } from 'node:perf_hooks'

/** The longest window of `auto`. */
const MAX_WINDOW_MS = 50
/** Share of its time that the event loop may be busy until windows grow, and at which they are longest. */
const BUSY = 0.4
const FULL = 0.95
/** Over how long the loop's utilization is taken, and how often it is looked at. */
const MEMORY_MS = 150
const LOOK_MS = 20

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
  private lookedAt: number

  constructor (private readonly flushMs: number | 'auto', private readonly flush: () => void, private readonly loop: LoopMeter = new EventLoopMeter()) {
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
    this.flush()
    this.adapt(this.loop.now())
  }

  private adapt (now: number): void {
    const since = now - this.lookedAt
    const cost = now - this.beganAt
    if (since >= LOOK_MS) {
      this.busy += (this.loop.utilization() - this.busy) * (1 - Math.exp(-since / MEMORY_MS))
      this.lookedAt = now
    }
    const short = Math.min(1, Math.max(0, (this.busy - BUSY) / (FULL - BUSY)))
    this.widthMs = Math.min(MAX_WINDOW_MS, Math.max(cost, MAX_WINDOW_MS * short * short))
  }
}
