import type { Budget } from '../processor.js'
import type { Trade } from './trade.js'

/** Trades are kept together by the second of their event time: every bar consists of whole seconds. */
const SLOT_MS = 1000
/** If there are too many, this share of them stays. */
const SHARE_KEPT = 0.9
/** A topic keeps at least so many trades. If all topics together keep too many, the busiest make room. */
const ALWAYS_KEPT = 1000

/** The trades of a topic that a correction may still take back, by event time. */
export class KeptTrades {
  private readonly slots = new Map<number, Trade[]>()
  private count = 0

  /**
   * @param most trades that it keeps
   * @param budget of all topics together
   */
  constructor (private readonly most: number, private readonly budget: Budget) {}

  get size (): number {
    return this.count
  }

  add (trade: Trade): void {
    const slot = Math.floor(trade.ms / SLOT_MS)
    const trades = this.slots.get(slot)
    if (trades === undefined) this.slots.set(slot, [trade])
    else trades.push(trade)
    this.count++
    this.budget.used++
  }

  /** Returns the trades from one time to another, both of them whole seconds in milliseconds. */
  * between (start: number, end: number): Iterable<Trade> {
    for (let slot = start / SLOT_MS; slot < end / SLOT_MS; slot++) yield * this.slots.get(slot) ?? []
  }

  /** Removes the oldest trades if there are too many, whole seconds of them. */
  takeSurplus (): Trade[] {
    const { count, most, budget } = this
    if (count > most) return this.take(() => this.count > most * SHARE_KEPT)
    if (budget.used <= budget.most || count <= ALWAYS_KEPT) return []
    return this.take(() => this.count > Math.max(count * SHARE_KEPT, ALWAYS_KEPT))
  }

  /** Removes the trades of whole seconds before a time. */
  takeBefore (ms: number): Trade[] {
    const end = Math.floor(ms / SLOT_MS)
    return this.take(slot => slot < end)
  }

  private take (isTaken: (slot: number) => boolean): Trade[] {
    const taken: Trade[] = []
    for (const slot of [...this.slots.keys()].sort((a, b) => a - b)) {
      if (!isTaken(slot)) break
      const trades = this.slots.get(slot)!
      this.slots.delete(slot)
      this.count -= trades.length
      this.budget.used -= trades.length
      for (const trade of trades) taken.push(trade)
    }
    return taken
  }
}
