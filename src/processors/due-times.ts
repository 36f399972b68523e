/** How exactly times are kept, in milliseconds: an item is due at the end of the tick that has its time. */
export const TICK_MS = 50

/** Items by the time at which they are due. */
export class DueTimes<Item> {
  private readonly ticks = new Map<number, Set<Item>>()
  private readonly tickOf = new Map<Item, number>()
  private taken = -Infinity

  get size (): number {
    return this.tickOf.size
  }

  /** Sets when an item is due, in place of what was set before. @param at milliseconds; undefined: never */
  set (item: Item, at: number | undefined): void {
    const before = this.tickOf.get(item)
    // A time that has passed is due in the next tick.
    const tick = at === undefined ? undefined : Math.max(Math.ceil(at / TICK_MS), this.taken + 1)
    if (tick === before) return
    if (before !== undefined) this.remove(item, before)
    if (tick === undefined) return
    this.tickOf.set(item, tick)
    const items = this.ticks.get(tick)
    if (items === undefined) this.ticks.set(tick, new Set([item]))
    else items.add(item)
  }

  /** Removes the items that are due. */
  take (now: number): Item[] {
    const tick = Math.floor(now / TICK_MS)
    if (tick <= this.taken) return []
    // A clock may leap: then there are fewer ticks with items than ticks that have passed.
    const isShort = tick - this.taken <= this.ticks.size
    const passed = isShort
      ? Array.from({ length: tick - this.taken }, (_, index) => this.taken + 1 + index)
      : [...this.ticks.keys()].filter(key => key <= tick)
    const due = passed.flatMap(key => [...this.ticks.get(key) ?? []])
    for (const key of passed) this.ticks.delete(key)
    for (const item of due) this.tickOf.delete(item)
    this.taken = tick
    return due
  }

  private remove (item: Item, tick: number): void {
    this.tickOf.delete(item)
    const items = this.ticks.get(tick)!
    items.delete(item)
    if (items.size === 0) this.ticks.delete(tick)
  }
}
