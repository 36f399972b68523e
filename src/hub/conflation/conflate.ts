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
  const anyReplaces = entries.some(({ replaces }) => replaces)
  const merged: Merged = { before: entries[0]!.sequence - 1, last, replaces: anyReplaces }
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

/** Joins later messages to those that wait. */
function joinMerged (channel: ChannelDefinition, waiting: Merged, later: Merged): Merged {
  const replaces = waiting.replaces || later.replaces
  const joined: Merged = { before: waiting.before, last: later.last, replaces }
  if (typeof channel.merge !== 'function') return joined
  const data = dataOf(later)
  if (later.replaces) return { ...joined, data }
  return { ...joined, data: channel.merge(dataOf(waiting) as never, data as never, waiting.replaces) }
}

const dataOf = ({ data, last }: Merged): unknown => data ?? JSON.parse(last.payload)

/** The pending messages of one view, and the clock that sends them: all topics at once, so in few writes. */
export class Clock {
  readonly pending = new Map<string, Pending>()
  /**
   * Topics whose cut state has not changed: the sequences of the messages that were not worth sending, after
   * `before` and up to `last`.
   */
  private readonly silent = new Map<string, { readonly before: number, readonly last: number }>()
  private lastTick = -Infinity

  constructor (readonly view: View) {}

  /** When to send what waits, in milliseconds of a monotonic clock; Infinity while nothing waits. */
  get due (): number {
    return this.pending.size === 0 ? Infinity : this.lastTick + this.view.throttleMs
  }

  /**
   * Whether nothing waits, and the last tick is so long ago that a new clock would tick at the same times.
   */
  isExpired (now: number): boolean {
    return this.pending.size === 0 && this.silent.size === 0 && now - this.lastTick >= this.view.throttleMs
  }

  /** Adds messages that were passed on in a window of the hub. @throws what the channel's `merge` throws */
  add (channel: ChannelDefinition, topic: string, merged: Merged, window: number): void {
    const waiting = this.pending.get(topic)
    const silent = this.silent.get(topic)
    this.silent.delete(topic)
    // If the waiting messages end before these begin, nobody had this view in between: they are dropped,
    // because nobody waits for them any more.
    const joined = waiting?.last.sequence === merged.before
      ? joinMerged(channel, waiting, merged)
      : silent?.last === merged.before ? { ...merged, before: silent.before } : merged
    this.pending.set(topic, { ...joined, window })
  }

  /** Notes messages that change nothing for this view: of them only the sequences count. */
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

  /** Drops the waiting messages of a topic, because its state is not known any more. */
  forget (topic: string): void {
    this.pending.delete(topic)
    this.silent.delete(topic)
  }

  /** Takes all that waits, and starts the clock anew. */
  tick (now: number): Map<string, Pending> {
    this.lastTick = now
    const taken = new Map(this.pending)
    this.pending.clear()
    return taken
  }

  /** Drops the topics that nobody wants in this view any more. */
  keepOnly (wanted: (topic: string) => boolean): void {
    for (const topic of this.pending.keys()) if (!wanted(topic)) this.pending.delete(topic)
    for (const topic of this.silent.keys()) if (!wanted(topic)) this.silent.delete(topic)
  }
}
