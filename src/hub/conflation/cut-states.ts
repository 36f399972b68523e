import type { ChannelDefinition } from '@tickwire/protocol'
import type { Entry } from '../../log/log.js'
import type { Merged } from './merged.js'

interface CutState {
  /** The whole state where the hub stands; undefined before the topic's first message. */
  state: unknown
  /** By depth, what its subscribers hold or will be told. */
  readonly cuts: Map<number, unknown>
}

/** The states of topics of which somebody wants the best levels only: a change far from them is not worth a message. */
export class CutStates {
  private readonly topics = new Map<string, CutState>()

  /** A topic's state where the hub stands, given with each subscriber that begins to want a part of it. */
  begin (topic: string, payload: string): void {
    if (!this.topics.has(topic)) this.restart(topic, payload)
  }

  /** A new epoch gave the topic another state, or one that is not known. */
  restart (topic: string, payload: string | undefined): void {
    if (payload === undefined) this.topics.delete(topic)
    else this.topics.set(topic, { state: JSON.parse(payload), cuts: new Map() })
  }

  /** Whether the state of a topic is known. */
  has (topic: string): boolean {
    return this.topics.has(topic)
  }

  /** Nobody wants a part of it any more. */
  forget (topic: string): void {
    this.topics.delete(topic)
  }

  /** Nothing more of these topics is heard. */
  forgetAll (concerned: (topic: string) => boolean): void {
    for (const topic of this.topics.keys()) if (concerned(topic)) this.topics.delete(topic)
  }

  /**
   * Folds a window of a topic and says for each depth what it changes; undefined where it changes nothing. Undefined for all while the
   * state is not known (the log does not have it any more, or folding it failed): the topic waits for a message that replaces it.
   * @throws what the channel's functions throw; the state must be forgotten then
   */
  advance (topic: string, channel: ChannelDefinition, window: readonly Entry[], depths: Iterable<number>): Map<number, Merged | undefined> | undefined {
    const { levels, reduce } = channel
    if (levels === undefined || typeof reduce !== 'function') return undefined
    let held = this.topics.get(topic)
    const entries = held === undefined ? window.slice(beginning(window)) : window
    if (entries.length === 0) return undefined
    if (held === undefined) this.topics.set(topic, held = { state: undefined, cuts: new Map() })
    const before = new Map<number, unknown>()
    for (const depth of depths) before.set(depth, held.cuts.get(depth) ?? (held.state === undefined ? undefined : levels.cut(held.state as never, depth)))
    for (const { payload, replaces } of entries) held.state = reduce(held.state as never, JSON.parse(payload) as never, replaces)
    held.cuts.clear()
    const merged = { before: entries[0]!.sequence - 1, last: entries.at(-1)!, replaces: entries.some(({ replaces }) => replaces) }
    const result = new Map<number, Merged | undefined>()
    for (const [depth, old] of before) {
      const cut: unknown = levels.cut(held.state as never, depth)
      held.cuts.set(depth, cut)
      const whole = merged.replaces || old === undefined
      const data: unknown = whole ? cut : levels.changes(old as never, cut as never)
      result.set(depth, data === undefined ? undefined : { ...merged, replaces: whole, data })
    }
    return result
  }
}

/** Where a topic's state begins in a window, whatever was before it: behind its end, where it does not. */
function beginning (entries: readonly Entry[]): number {
  const first = entries.findIndex(({ replaces, previous }) => replaces || previous === 0)
  return first < 0 ? entries.length : first
}
