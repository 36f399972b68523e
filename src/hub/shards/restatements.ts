import type { ResetReason } from '@tickwire/protocol'
import { restateLost } from './epoch-change.js'
import type { HubParts } from '../hub-parts.js'
import { persist } from '../persist.js'
import { loseFor } from '../subscriber.js'

export interface RestatementsOptions {
  /** Called when the last restatement in progress has ended. */
  onEnd (): void
  onError (error: unknown): void
  /** Whether the hub has closed. */
  isClosed (): boolean
}

/**
 * Restates topics that lost messages: their subscribers get a `reset`, and the state or the retained
 * messages. One shard comes after another, and the hub passes nothing on until the last one is done.
 */
export class Restatements {
  /** By topic, the offset up to which entries are part of a state that its subscribers were just sent. */
  readonly covered = new Map<string, number>()
  private current: Promise<void> | undefined
  /** By shard, the topics of the restatements that have not ended. */
  private readonly lost = new Map<number, ReadonlySet<string>>()

  constructor (private readonly hub: HubParts, private readonly options: RestatementsOptions) {}

  /** Resolves when the last restatement has ended; undefined while there is none. */
  get underWay (): Promise<void> | undefined {
    return this.current
  }

  /** Restates topics of a shard, once the restatements before it have ended. */
  enqueue (shard: number, topics: ReadonlySet<string>, reason: ResetReason): void {
    const { hub, options: { isClosed, onError } } = this
    const epoch = hub.epoch(shard)
    // When a new epoch begins, a restatement in progress gives up, and this one takes its topics over.
    const lost = new Set([...topics, ...this.lost.get(shard) ?? []])
    this.lost.set(shard, lost)
    const cover = (topic: string, upTo: number): void => { this.covered.set(topic, upTo) }
    const before = this.current ?? Promise.resolve()
    const current = before
      .then(() => persist(() => restateLost(hub, { shard, epoch, topics: lost, reason }, cover), isClosed))
      .catch((error: unknown) => {
        if (isClosed()) return
        onError(error)
        for (const topic of lost) loseFor(hub.audience.of(topic).everybody(), topic)
      })
      .finally(() => {
        if (this.current !== current) return
        this.current = undefined
        this.lost.clear()
        this.options.onEnd()
      })
    this.current = current
  }

  /** Forgets what subscribers were sent of a shard: it belongs to an epoch that has ended. */
  uncover (shard: number): void {
    for (const topic of this.covered.keys()) {
      if (this.hub.log.shardOf(topic) === shard) this.covered.delete(topic)
    }
  }
}
