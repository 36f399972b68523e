import type { ChannelDefinition } from '@tickwire/protocol'
import type { Entry } from '../../log/log.js'
import type { Merged } from './merged.js'

interface CutState {
  /** The whole state where the hub stands; undefined before the topic's first message. */
  state: unknown
  /**
   * By depth, the part of it that subscribers have, or will have when they have been sent what is pending.
   */
  readonly cuts: Map<number, unknown>
}

/** The states of topics of which somebody wants the best levels only: a change beyond these is not sent. */
export class CutStates {
  private readonly topics = new Map<string, CutState>()

  /**
   * Notes a topic's state where the hub stands. Called for each subscriber that begins to get a part of it.
   */
  begin (topic: string, payload: string): void {
    if (!this.topics.has(topic)) this.restart(topic, payload)
  }

  /** Replaces a topic's state after a loss. @param payload the new state; undefined if it is not known */
  restart (topic: string, payload: string | undefined): void {
    if (payload === undefined) this.topics.delete(topic)
    else this.topics.set(topic, { state: JSON.parse(payload), cuts: new Map() })
  }

  /** Whether the state of a topic is known. */
  has (topic: string): boolean {
    return this.topics.has(topic)
  }

  /**
   * Forgets a topic, because nobody wants a part of it any more, or because its state is not known any more.
   */
  forget (topic: string): void {
    this.topics.delete(topic)
  }

  /** Forgets some topics, because the node does not follow their shard any more. */
  forgetAll (concerned: (topic: string) => boolean): void {
    for (const topic of this.topics.keys()) if (concerned(topic)) this.topics.delete(topic)
  }

  /**
   * Folds a window of a topic into its state, and returns what changes at each depth, undefined where nothing
   * does. Returns undefined altogether while the state is not known, because the log does not have it any
   * more or folding it failed: the topic waits for a message that replaces it.
   * @throws what the channel's functions throw; the caller must forget the state then
   */
  advance (
    topic: string, channel: ChannelDefinition, window: readonly Entry[], depths: Iterable<number>
  ): Map<number, Merged | undefined> | undefined {
    const { levels, reduce } = channel
    if (levels === undefined || typeof reduce !== 'function') return undefined
    let known = this.topics.get(topic)
    const entries = known === undefined ? window.slice(indexOfBeginning(window)) : window
    if (entries.length === 0) return undefined
    if (known === undefined) this.topics.set(topic, known = { state: undefined, cuts: new Map() })
    const { state, cuts } = known
    const cutBefore = (depth: number): unknown =>
      cuts.get(depth) ?? (state === undefined ? undefined : levels.cut(state as never, depth))
    const before = new Map<number, unknown>()
    for (const depth of depths) before.set(depth, cutBefore(depth))
    for (const { payload, replaces } of entries) {
      known.state = reduce(known.state as never, JSON.parse(payload) as never, replaces)
    }
    cuts.clear()
    const replaces = entries.some(entry => entry.replaces)
    const merged = { before: entries[0]!.sequence - 1, last: entries.at(-1)!, replaces }
    const result = new Map<number, Merged | undefined>()
    for (const [depth, old] of before) {
      const cut: unknown = levels.cut(known.state as never, depth)
      cuts.set(depth, cut)
      const whole = merged.replaces || old === undefined
      const data: unknown = whole ? cut : levels.changes(old as never, cut as never)
      result.set(depth, data === undefined ? undefined : { ...merged, replaces: whole, data })
    }
    return result
  }
}

/**
 * Returns the index of the entry at which a topic's state begins anew; without one, the number of entries.
 */
function indexOfBeginning (entries: readonly Entry[]): number {
  const first = entries.findIndex(({ replaces, previous }) => replaces || previous === 0)
  return first < 0 ? entries.length : first
}
