import { type Channels, parseTopicKey } from '@tickwire/protocol'
import type { Entry } from '../../log.js'

/** A state and the message that it stands for. */
export interface Folded {
  readonly epoch: number
  readonly sequence: number
  readonly offset: number
  readonly timestamp: number
  readonly state: unknown
}

/** States that this node has folded: most topics are asked for again. */
const MAX_CACHED = 10_000

/** What topics come to whose state is more than their last message. */
export class FoldedStates {
  private readonly cache = new Map<string, Folded>()

  constructor (private readonly channels: Channels) {}

  get (topic: string): Folded | undefined {
    return this.cache.get(topic)
  }

  /**
   * Folds messages onto what is known, in order. Undefined where some are missing between: the state is not known
   * until a message replaces it. The same holds behind a message that the channel failed to fold.
   * @throws what it threw, where no message has replaced the state since
   */
  fold (topic: string, epoch: number, base: Folded | undefined, entries: readonly Entry[]): Folded | undefined {
    const reduce = this.channels.get(parseTopicKey(topic).channel)?.reduce
    if (typeof reduce !== 'function') return undefined
    let folded = base
    let failure: { readonly error: unknown } | undefined
    for (const { sequence, offset, previous, timestamp, payload, replaces } of entries) {
      if (!replaces && previous !== (folded?.offset ?? 0)) folded = undefined
      if (!replaces && folded === undefined && previous !== 0) continue
      try {
        folded = { epoch, sequence, offset, timestamp, state: reduce(folded?.state as never, JSON.parse(payload) as never, replaces) }
        failure = undefined
      } catch (error) {
        // What it was given may be half changed.
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
