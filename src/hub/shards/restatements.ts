import type { ResetReason } from '@tickwire/protocol'
import { changeEpoch } from './epoch-change.js'
import type { HubParts } from '../hub-parts.js'
import { persist } from '../persist.js'
import { loseFor } from '../subscriber.js'

export interface RestatementsOptions {
  /** Called when none is under way any more. */
  onEnd (): void
  onError (error: unknown): void
  /** Whether the hub is closed. */
  over (): boolean
}

/**
 * Topics whose subscribers must be told that something is lost, and be given the state: one shard's after another's. The
 * hub passes nothing on while one is under way.
 */
export class Restatements {
  /** Entries up to this offset of a topic are part of a state that its subscribers were just given. */
  readonly covered = new Map<string, number>()
  private current: Promise<void> | undefined
  /** By shard, the topics of those that are under way. */
  private readonly lost = new Map<number, ReadonlySet<string>>()

  constructor (private readonly hub: HubParts, private readonly options: RestatementsOptions) {}

  /** Resolves when the last of them is done; undefined while there is none. */
  get underWay (): Promise<void> | undefined {
    return this.current
  }

  begin (shard: number, topics: ReadonlySet<string>, reason: ResetReason): void {
    const epoch = this.hub.epoch(shard)
    // One that is still under way gives up for a new epoch, which then resets for both.
    const lost = new Set([...topics, ...this.lost.get(shard) ?? []])
    this.lost.set(shard, lost)
    const before = this.current ?? Promise.resolve()
    const current = before
      .then(() => persist(() => changeEpoch(this.hub, shard, epoch, lost, reason, (topic, upTo) => this.covered.set(topic, upTo)), this.options.over))
      .catch((error: unknown) => {
        if (this.options.over()) return
        this.options.onError(error)
        for (const topic of lost) loseFor(this.hub.audience.of(topic).everybody(), topic)
      })
      .finally(() => {
        if (this.current !== current) return
        this.current = undefined
        this.lost.clear()
        this.options.onEnd()
      })
    this.current = current
  }

  /** What was given of a shard is of an epoch that is over. */
  uncover (shard: number): void {
    for (const topic of this.covered.keys()) if (this.hub.log.shardOf(topic) === shard) this.covered.delete(topic)
  }
}
