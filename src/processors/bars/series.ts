import { type Bar, BAR_INTERVALS, type BarInterval } from '@tickwire/protocol'
import { OpenBar } from './open-bar.js'
import type { Trade } from './trade.js'

/**
 * A forming bar is sent at most this often, in milliseconds. A long bar changes little in a second, and its
 * messages take from what the log retains of all others.
 */
const FORMING_EVERY_MS: Readonly<Record<BarInterval, number>> = { '1s': 250, '1m': 1000, '5m': 2000 }
/** A bar is closed so far behind its end, by the event clock, if no later trade closes it. */
const CLOSED_BEHIND_MS = 200

/** After a refusal nothing is said for a while, and for twice as long after each further one in a row. */
const REFUSED_PAUSE_MS = 1000
const MAX_REFUSED_PAUSE_MS = 60_000

/** The times of one look at what is due, in milliseconds since 1970. */
export interface Times {
  /** The log's time. */
  readonly now: number
  /** The event clock. */
  readonly clock: number
  /** The newest and the earliest event time of the topic. */
  readonly newest: number
  readonly earliest: number
}

/** The trades of a topic that can be taken back. */
export interface Trades {
  between (start: number, end: number): Iterable<Trade>
  /** From now on the bars hold the trade in their sums alone. */
  fold (trade: Trade): void
}

/** The bars of one symbol and interval that may still change. */
export class Series {
  private readonly ms: number
  /** By start. */
  private readonly bars = new Map<number, OpenBar>()
  /** Bars that are not closed, or that have changed since a message said what they are. */
  private readonly unsettled = new Set<OpenBar>()
  /** By start, what messages said of bars of which the log may have dropped trades. */
  private readonly unproven = new Map<number, Bar>()
  /** Bars that start before it and are not known were published; the log has dropped their messages. */
  private floor = -Infinity
  private isFloorSought = false
  private isRestored = false
  private sentAt = -Infinity
  /** When {@link due} last looked. */
  private lookedAt = -Infinity
  /** Whether the log has refused what it returned then. */
  private isRefused = false
  private pauseMs = 0
  private pausedUntil = -Infinity

  /** @param first the sequence of the topic's first trade that the log has not dropped */
  constructor (
    readonly interval: BarInterval,
    private readonly first: number,
    private readonly trades: Trades
  ) {
    this.ms = BAR_INTERVALS[interval]
  }

  /** See `TopicBars.hear`. @param oldest bars that end before it are passed over */
  hear (bar: Bar, stands: boolean, missed: boolean, oldest: number): void {
    const start = Date.parse(bar.start)
    if (start % this.ms !== 0 || start + this.ms < oldest) return
    if (this.isRestored && start < this.floor && !this.bars.has(start)) return
    if (!this.isRestored) {
      this.seekFloor(start, bar.closed, missed)
      if (this.first > 1 && (stands || bar.through < this.first)) this.unproven.set(start, bar)
    }
    const known = this.bars.get(start) ?? this.addBar(start)
    known.said = bar
    this.unsettle(known)
  }

  /** Counts a trade. @returns false if its bar does not change any more. @param sequence of the message */
  add (trade: Trade, sequence: number): boolean {
    const start = Math.floor(trade.ms / this.ms) * this.ms
    let bar = this.bars.get(start)
    if (bar === undefined) {
      if (start < this.floor) return false
      bar = this.addBar(start)
    }
    if (bar.isFinal) return false
    bar.add(trade, sequence)
    this.unsettle(bar)
    return true
  }

  remove (trade: Trade, sequence: number): void {
    const bar = this.barOf(trade.ms)
    if (bar === undefined || bar.isFinal) return
    bar.remove(trade, sequence)
    this.unsettle(bar)
  }

  fold (trade: Trade): void {
    this.barOf(trade.ms)?.fold(trade)
  }

  /** The bar of an event time may say something else than before. */
  reconsider (ms: number): void {
    const bar = this.barOf(ms)
    if (bar !== undefined) this.unsettle(bar)
  }

  /**
   * Decides how the bar of an event time goes on, before a message changes it that comes after what was
   * said of it. If the log still has all its trades, they make what was said; otherwise the bar goes on from
   * what was said.
   * @param sequence of the message
   */
  prove (ms: number, sequence: number): void {
    if (this.unproven.size === 0) return
    const bar = this.barOf(ms)
    if (bar === undefined) return
    const said = this.unproven.get(bar.start)
    if (said === undefined || sequence <= said.through) return
    this.unproven.delete(bar.start)
    if (bar.hasTradesOf(said)) {
      bar.isPartial = said.partial === true
      return
    }
    const known = [...this.countedOf(bar)]
    for (const trade of known) this.trades.fold(trade)
    bar.goOnFrom(said, known)
    bar.isFinal = said.closed && said.through < this.first
  }

  /**
   * Adds the messages that are due, which count as said from then on.
   * @returns when the next will be due, as {@link Times.now}; Infinity if none will
   */
  due (symbol: string, times: Times, messages: Bar[]): number {
    const { now, clock, newest, earliest } = times
    this.isRestored = true
    if (now < this.pausedUntil) return this.pausedUntil
    if (!this.isRefused) this.pauseMs = 0
    this.isRefused = false
    this.lookedAt = now
    for (const start of [...this.unproven.keys()]) this.prove(start, Infinity)
    let next = Infinity
    for (const bar of this.inOrder()) {
      const { said, start, end } = bar
      if (said === undefined && bar.isEmpty) {
        this.unsettled.delete(bar)
        this.bars.delete(start)
        continue
      }
      const isPartial = start < earliest && earliest < end
      const isOver = said?.closed === true || newest >= end || clock >= end + CLOSED_BEHIND_MS
      if (!isOver) next = Math.min(next, now + end + CLOSED_BEHIND_MS - clock)
      const mayBeSentAt = this.sentAt + FORMING_EVERY_MS[this.interval]
      if (!isOver && bar.hasChanged && now < mayBeSentAt) {
        next = Math.min(next, mayBeSentAt)
        continue
      }
      if (isOver) this.unsettled.delete(bar)
      const isSaid = said?.closed === isOver && (!bar.hasChanged || bar.isSaidBy(said, isPartial))
      bar.hasChanged = false
      if (isSaid) continue
      bar.said = bar.message(symbol, isOver, isPartial)
      messages.push(bar.said)
      if (!isOver) this.sentAt = now
    }
    return next
  }

  /** See `TopicBars.unsaid`. */
  unsaid (message: Bar): void {
    if (!this.isRefused) {
      this.isRefused = true
      this.pauseMs = Math.min(Math.max(this.pauseMs * 2, REFUSED_PAUSE_MS), MAX_REFUSED_PAUSE_MS)
      this.pausedUntil = this.lookedAt + this.pauseMs
    }
    const bar = this.barOf(Date.parse(message.start))
    if (bar?.said !== message) return
    bar.unsay(message)
    this.unsettle(bar)
  }

  /** Drops bars that ended before a time: nothing changes them any more. */
  drop (before: number): void {
    for (const [start, bar] of this.bars) {
      if (bar.end < before && !this.unsettled.has(bar)) this.bars.delete(start)
    }
    this.floor = Math.max(this.floor, Math.ceil((before - this.ms) / this.ms) * this.ms)
  }

  /** The trades of a bar that count and can be taken back. */
  private * countedOf ({ start, end }: OpenBar): Iterable<Trade> {
    for (const trade of this.trades.between(start, end)) if (trade.counts && trade.isKept) yield trade
  }

  private readonly keptOf = (bar: OpenBar): Iterable<Trade> => this.countedOf(bar)

  /**
   * If the log has dropped messages about bars, the first that tells of a forming bar says which was the
   * newest then. All bars before it had been published.
   */
  private seekFloor (start: number, closed: boolean, missed: boolean): void {
    this.isFloorSought ||= missed
    if (!this.isFloorSought) return
    this.floor = Math.max(this.floor, start)
    this.isFloorSought = closed
  }

  private inOrder (): Iterable<OpenBar> {
    return this.unsettled.size > 1 ? [...this.unsettled].sort((a, b) => a.start - b.start) : this.unsettled
  }

  private barOf (ms: number): OpenBar | undefined {
    return this.bars.get(Math.floor(ms / this.ms) * this.ms)
  }

  private addBar (start: number): OpenBar {
    const bar = new OpenBar(this.interval, start, start + this.ms, this.keptOf)
    this.bars.set(start, bar)
    return bar
  }

  private unsettle (bar: OpenBar): void {
    bar.hasChanged = true
    this.unsettled.add(bar)
  }
}
