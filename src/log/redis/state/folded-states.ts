import { type Channels, parseTopicKey } from '@tickwire/protocol'
import type { Entry } from '../../log.js'

/** A state, and the position of the last message folded into it. */
export interface Folded {
  readonly epoch: number
  readonly sequence: number
  readonly offset: number
  readonly timestamp: number
  readonly state: unknown
}

/** Most states that this node keeps: it is asked for most topics more than once. */
const MAX_CACHED = 10_000

/** The states of topics whose channel folds messages, as far as this node has folded them. */
export class FoldedStates {
  private readonly cache = new Map<string, Folded>()

  constructor (private readonly channels: Channels) {}

  get (topic: string): Folded | undefined {
    return this.cache.get(topic)
  }

  /**
   * Folds messages onto a base, in order. If messages are missing between, or if the channel fails to fold
   * one, the state is unknown until a message replaces it.
   * @returns the state; undefined if messages are missing
   * @throws what the channel threw, if no message has replaced the state since
   */
  fold (
    topic: string,
    epoch: number,
    base: Folded | undefined,
    entries: readonly Entry[]
  ): Folded | undefined {
    const reduce = this.channels.get(parseTopicKey(topic).channel)?.reduce
    if (typeof reduce !== 'function') return undefined
    let folded = base
    let failure: { readonly error: unknown } | undefined
    for (const { sequence, offset, previous, timestamp, payload, replaces } of entries) {
      if (!replaces && previous !== (folded?.offset ?? 0)) folded = undefined
      if (!replaces && folded === undefined && previous !== 0) continue
      try {
        const state = reduce(folded?.state as never, JSON.parse(payload) as never, replaces)
        folded = { epoch, sequence, offset, timestamp, state }
        failure = undefined
      } catch (error) {
        // The channel may have changed a part of the state that it got.
        folded = undefined
        failure = { error }
      }
    }
    this.keep(topic, folded)
    if (failure !== undefined) throw failure.error
    return folded
  }

  forget (topic: string): void {
    this.cache.delete(topic)
  }

  private keep (topic: string, folded: Folded | undefined): void {
    this.cache.delete(topic)
    if (folded === undefined) return
    this.cache.set(topic, folded)
    if (this.cache.size > MAX_CACHED) this.cache.delete(this.cache.keys().next().value!)
  }
}
