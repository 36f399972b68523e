import { performance } from 'node:perf_hooks'

/** The longest window of `auto`. */
const MAX_WINDOW_MS = 50
/** Windows begin to grow when the event loop is busy for this share of its time. */
const BUSY = 0.6
/** They are longest when it is busy for this share. */
const FULL = 0.95
/** The longest window that saves work while the loop still has time. */
const SAVING_WINDOW_MS = 16
/** Windows begin to save work when a write for each message would take this share of the loop's time. */
const SAVES = 0.4
/** They save most when it would take this share. */
const SAVES_MOST = 1
/** The time over which utilization is averaged. */
const MEMORY_MS = 150
/** How often utilization is measured. */
const LOOK_MS = 20

/** The result of a flush. */
export interface Flushed {
  /** How many messages were delivered, over all subscribers. */
  readonly messages: number
  /** How many subscribers were written to. */
  readonly writes: number
}

/** Measures the event loop. It is passed in, so that tests are exact. */
export interface LoopMeter {
  /** Milliseconds of a monotonic clock. */
  now (): number
  /** The share of its time that the loop was busy since the last call. */
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
 * Decides when the next window ends. A window of fixed length ends so many milliseconds after its first
 * message; with 0, on the next tick. With `auto` a message leaves on the next tick while the process has
 * time. As time runs out, windows grow with the utilization of the loop, so that each write carries more
 * messages; they are at least as long as the last flush took, and at most {@link MAX_WINDOW_MS}.
 */
export class FlushWindow {
  private timer: NodeJS.Timeout | NodeJS.Immediate | undefined
  private immediate = false
  private beganAt = 0
  private widthMs = 0
  private busy = 0
  /** Of the flushes since {@link measuredAt}: their time, messages and writes. */
  private costMs = 0
  private messages = 0
  private writes = 0
  /** The share of the loop's time that a write for each message would take. */
  private oneByOne = 0
  private measuredAt: number

  constructor (
    private readonly flushMs: number | 'auto',
    private readonly flush: () => Flushed,
    private readonly loop: LoopMeter = new EventLoopMeter()
  ) {
    this.measuredAt = loop.now()
  }

  /** How long messages are gathered at present, in milliseconds. */
  get width (): number {
    return this.flushMs === 'auto' ? this.widthMs : this.flushMs
  }

  /** Schedules a flush at the end of the window, unless one is scheduled. */
  schedule (): void {
    if (this.timer !== undefined) return
    const wait = this.flushMs === 'auto' ? this.widthMs - (this.loop.now() - this.beganAt) : this.flushMs
    this.immediate = this.flushMs === 'auto' ? wait < 1 : wait === 0
    const end = (): void => { this.end() }
    this.timer = this.immediate ? setImmediate(end) : setTimeout(end, wait)
  }

  /** Cancels the scheduled flush, because the caller flushes itself or has closed. */
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
    const since = now - this.measuredAt
    if (since >= LOOK_MS) {
      const weight = 1 - Math.exp(-since / MEMORY_MS)
      const costOfWrite = this.costMs / Math.max(1, this.writes)
      this.busy += (this.loop.utilization() - this.busy) * weight
      this.oneByOne += (this.messages * costOfWrite / since - this.oneByOne) * weight
      this.costMs = this.messages = this.writes = 0
      this.measuredAt = now
    }
    const load = shareOfWay(this.busy, BUSY, FULL)
    const saving = shareOfWay(this.oneByOne, SAVES, SAVES_MOST)
    const widest = Math.max(cost, MAX_WINDOW_MS * load * load, SAVING_WINDOW_MS * saving * saving)
    this.widthMs = Math.min(MAX_WINDOW_MS, widest)
  }
}

/** Returns how much of the way between two bounds a value has gone, from 0 to 1. */
const shareOfWay = (value: number, from: number, to: number): number =>
  Math.min(1, Math.max(0, (value - from) / (to - from)))
