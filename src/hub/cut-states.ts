import type { ChannelDefinition } from '@tickwire/protocol'
import type { Entry } from '../log/log.js'
import type { Merged } from './frame.js'

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

  /** A new epoch gave the topic another state. */
  restart (topic: string, payload: string | undefined): void {
    this.topics.set(topic, { state: payload === undefined ? undefined : JSON.parse(payload), cuts: new Map() })
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
   * Folds a window of a topic and says for each depth what it changes; undefined where it changes nothing.
   * @throws Error for a topic that was neither begun nor born in this window
   */
  advance (topic: string, channel: ChannelDefinition, entries: readonly Entry[], depths: Iterable<number>): Map<number, Merged | undefined> {
    const { levels, reduce } = channel
    let held = this.topics.get(topic)
    if (held === undefined && entries[0]!.previous === 0) this.topics.set(topic, held = { state: undefined, cuts: new Map() })
    if (held === undefined || levels === undefined || typeof reduce !== 'function') throw new Error(`the state of ${topic} is not known`)
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
