import { type Bar, BAR_INTERVALS, type BarInterval, type Trade as TradeData } from '@tickwire/protocol'
import type { Budget } from '../processor.js'
import { Corrections } from './corrections.js'
import { EventClock } from './event-clock.js'
import { InstantReader } from './instant.js'
import { KeptTrades } from './kept-trades.js'
import { Series } from './series.js'
import { isCancel, readTrade, type Trade } from './trade.js'

/** A trade may come, or be corrected, so far behind the event clock. */
const LATE_MS = 15 * 60_000
/**
 * A trade whose event time is further ahead of the log's time is not applied: it would set the event clock so
 * far ahead that all others came too late.
 */
const EARLY_MS = 60_000
/**
 * Trades of a topic that can be taken back one by one. Of as many older ones the ids are known; all others
 * are known only in the sums of bars.
 */
const MAX_KEPT = 100_000
/** How often old bars and trades are dropped, by the event clock. */
const DROP_EVERY_MS = 60_000
const LONGEST_MS = Math.max(...Object.values(BAR_INTERVALS))

/**
 * Why a trade is in no bar: it came too `late`, or a correction for its trade did; its event time is too
 * `early`, ahead of the log's; no bar can use (`unusable`) its size or time; its `corrections` are too many,
 * or make a circle.
 */
export type Ignored = 'late' | 'early' | 'unusable' | 'corrections'

/** A message of `trades`, as the log has it. */
export interface TradeMessage {
  readonly data: TradeData
  readonly sequence: number
  /** When the log accepted it, in milliseconds since 1970. */
  readonly timestamp: number
}

/** The bars of one symbol that may still change, made of its trades. It has no time and publishes nothing. */
export class TopicBars {
  private readonly series: readonly Series[]
  private readonly clock = new EventClock()
  private readonly corrections = new Corrections()
  private readonly kept: KeptTrades
  private readonly folded: KeptTrades
  private readonly instants = new InstantReader()
  private earliest = Infinity
  private dropsAt = -Infinity
  private isRestored = false

  /**
   * @param first the sequence of the topic's first trade that the log has not dropped
   * @param budget of kept trades, shared with other topics
   * @param onIgnored called for each trade that is in no bar, but for one whose id has come before
   */
  constructor (
    private readonly symbol: string,
    intervals: readonly BarInterval[],
    first: number,
    budget: Budget,
    private readonly onIgnored: (why: Ignored) => void = () => {},
    maxKept = MAX_KEPT
  ) {
    this.kept = new KeptTrades(maxKept, budget)
    this.folded = new KeptTrades(maxKept, budget)
    const trades = {
      between: (start: number, end: number) => this.kept.between(start, end),
      fold: (trade: Trade) => { this.fold(trade) }
    }
    this.series = intervals.map(interval => new Series(interval, first, trades))
  }

  /**
   * Takes note of a message about a bar.
   * @param stands whether it follows from trades that the log has not lost
   * @param missed whether the log has dropped messages before it
   */
  hear (bar: Bar, stands: boolean, missed: boolean): void {
    const series = this.series.find(({ interval }) => interval === bar.interval)
    if (series === undefined) return
    const oldest = this.isRestored ? this.clock.newest - LATE_MS : -Infinity
    series.hear(bar, stands, missed, oldest)
  }

  apply ({ data, sequence, timestamp }: TradeMessage): void {
    const trade = readTrade(data, sequence, this.instants)
    if (trade === undefined) return this.ignore('unusable')
    if (trade.ms > timestamp + EARLY_MS) return this.ignore('early')
    if (trade.ms < this.clock.read(timestamp) - LATE_MS) return this.ignore('late')
    const change = this.corrections.add(trade)
    if (change === undefined) return
    this.clock.advance(trade.ms, timestamp)
    this.kept.add(trade)
    if (trade.ms < this.earliest) {
      for (const series of this.series) series.reconsider(this.earliest)
      this.earliest = trade.ms
    }
    if (change.isTangled) this.ignore('corrections')
    if (!this.change(change.removed, change.added, sequence)) this.ignore('late')
    for (const old of this.kept.takeSurplus()) {
      this.fold(old)
      this.folded.add(old)
    }
    for (const old of this.folded.takeSurplus()) this.corrections.forget(old)
  }

  /**
   * Returns the messages that are due, which count as said from then on, and when the next will be due.
   * @param now the log's time
   */
  due (now: number): { readonly bars: readonly Bar[], readonly next: number | undefined } {
    this.isRestored = true
    const bars: Bar[] = []
    let next = Infinity
    const clock = this.clock.read(now)
    for (const series of this.series) {
      const at = { now, clock, newest: this.clock.newest, earliest: this.earliest }
      next = Math.min(next, series.due(this.symbol, at, bars))
    }
    if (clock >= this.dropsAt) this.dropOld(clock)
    // A topic that has no more trades lets its old ones go all the same.
    if (this.kept.size + this.folded.size > 0) next = Math.min(next, now + DROP_EVERY_MS)
    return { bars, next: next === Infinity ? undefined : next }
  }

  /** Takes note that the log has refused a message that {@link due} has returned. */
  unsaid (bar: Bar): void {
    this.series.find(({ interval }) => interval === bar.interval)?.unsaid(bar)
  }

  /** @returns false if the trades that count stay as they are, because one of them cannot be taken back */
  private change (removed: readonly Trade[], added: Trade | undefined, sequence: number): boolean {
    for (const series of this.series) {
      for (const trade of removed) series.prove(trade.ms, sequence)
      if (added !== undefined) series.prove(added.ms, sequence)
    }
    if (!removed.every(({ isKept }) => isKept)) {
      // What corrects it in turn must not count, either.
      if (added !== undefined) added.isKept = false
      return false
    }
    for (const trade of removed) {
      if (trade.counts) for (const series of this.series) series.remove(trade, sequence)
      trade.counts = false
    }
    if (added === undefined || isCancel(added)) return true
    const untaken = this.series.filter(series => !series.add(added, sequence))
    added.counts = true
    return untaken.length === 0
  }

  private ignore (why: Ignored): void {
    if (this.isRestored) this.onIgnored(why)
  }

  private fold (trade: Trade): void {
    if (trade.counts && trade.isKept) for (const series of this.series) series.fold(trade)
    trade.isKept = false
  }

  private dropOld (clock: number): void {
    this.dropsAt = clock + DROP_EVERY_MS
    for (const series of this.series) series.drop(clock - LATE_MS)
    const before = clock - LATE_MS - LONGEST_MS
    for (const trade of this.kept.takeBefore(before)) this.corrections.forget(trade)
    for (const trade of this.folded.takeBefore(before)) this.corrections.forget(trade)
  }
}
