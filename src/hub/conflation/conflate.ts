import type { ChannelDefinition } from '@tickwire/protocol'
import type { Entry } from '../../log/log.js'
import type { Merged } from './merged.js'
import type { View } from './view.js'

/** Messages of a topic that wait to be sent as one. */
export interface Pending extends Merged {
  /** The window in which the last of them was passed on. */
  readonly window: number
}

/** Joins entries of a topic, oldest first, into one message (PROTOCOL.md, Data: `prev`). */
export function mergeEntries (channel: ChannelDefinition, entries: readonly Entry[]): Merged {
  const last = entries.at(-1)!
  const merged: Merged = { before: entries[0]!.sequence - 1, last, replaces: entries.some(({ replaces }) => replaces) }
  if (typeof channel.merge !== 'function' || entries.length === 1) return merged
  let data: unknown
  let replaces = false
  for (const entry of entries) {
    const next: unknown = JSON.parse(entry.payload)
    data = data === undefined || entry.replaces ? next : channel.merge(data as never, next as never, replaces)
    replaces ||= entry.replaces
  }
  return { ...merged, data }
}

/** Joins what came later to what waits. */
function joinMerged (channel: ChannelDefinition, waiting: Merged, later: Merged): Merged {
  const joined: Merged = { before: waiting.before, last: later.last, replaces: waiting.replaces || later.replaces }
  if (typeof channel.merge !== 'function') return joined
  const data = dataOf(later)
  return { ...joined, data: later.replaces ? data : channel.merge(dataOf(waiting) as never, data as never, waiting.replaces) }
}

const dataOf = ({ data, last }: Merged): unknown => data ?? JSON.parse(last.payload)

/** What is pending for one view, and the clock by which it goes out: all topics at once, so in few writes. */
export class Clock {
  readonly pending = new Map<string, Pending>()
  /** Topics whose cut state has not changed: their messages that were not worth sending, from one sequence to another. */
  private readonly silent = new Map<string, { readonly before: number, readonly last: number }>()
  private lastTick = -Infinity

  constructor (readonly view: View) {}

  /** Milliseconds of a clock that nobody sets; Infinity while nothing waits. */
  get due (): number {
    return this.pending.size === 0 ? Infinity : this.lastTick + this.view.throttleMs
  }

  /** Whether nothing waits and the last tick is so long ago that a new clock would go the same. */
  expired (now: number): boolean {
    return this.pending.size === 0 && this.silent.size === 0 && now - this.lastTick >= this.view.throttleMs
  }

  add (channel: ChannelDefinition, topic: string, merged: Merged, window: number): void {
    const waiting = this.pending.get(topic)
    const silent = this.silent.get(topic)
    this.silent.delete(topic)
    // What waits from before a time in which nobody wanted it misses what came then: it is nobody's any more.
    const joined = waiting?.last.sequence === merged.before
      ? joinMerged(channel, waiting, merged)
      : silent?.last === merged.before ? { ...merged, before: silent.before } : merged
    this.pending.set(topic, { ...joined, window })
  }

  /** Messages that change nothing for this view: they only count. */
  skip (topic: string, entries: readonly Entry[], window: number): void {
    const before = entries[0]!.sequence - 1
    const last = entries.at(-1)!
    const waiting = this.pending.get(topic)
    if (waiting?.last.sequence === before) {
      this.pending.set(topic, { ...waiting, data: dataOf(waiting), last, window })
      return
    }
    const silent = this.silent.get(topic)
    this.pending.delete(topic)
    this.silent.set(topic, { before: silent?.last === before ? silent.before : before, last: last.sequence })
  }

  /** What waits of a topic is not to be sent: its state is not known any more. */
  forget (topic: string): void {
    this.pending.delete(topic)
    this.silent.delete(topic)
  }

  /** All that waits; the clock starts anew. */
  tick (now: number): Map<string, Pending> {
    this.lastTick = now
    const taken = new Map(this.pending)
    this.pending.clear()
    return taken
  }

  /** Forgets topics that this view has nobody for any more. */
  keep (wanted: (topic: string) => boolean): void {
    for (const topic of this.pending.keys()) if (!wanted(topic)) this.pending.delete(topic)
    for (const topic of this.silent.keys()) if (!wanted(topic)) this.silent.delete(topic)
  }
}
