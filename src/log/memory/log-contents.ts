import type { Channels } from '@tickwire/protocol'
import type { EpochStart, Fence, LogClock, Retention, ShardHead } from '../log.js'
import { shardOf } from '../shard-of.js'
import { AnsweredKeys } from './answered-keys.js'
import { RetainedTopics } from './retained-topics.js'

/** Epochs that a shard remembers. A position of an older epoch counts as lost. */
const MAX_EPOCHS = 32

export interface LogContentsOptions {
  readonly channels: Channels
  readonly shards: number
  readonly retention: Retention
  readonly maxTopics: number
  readonly maxTopicNames?: number | undefined
  readonly clock: LogClock
}

/** Where a shard stands. */
export interface ShardState {
  offset: number
  epochs: readonly EpochStart[]
}

/** What a log in memory holds. A log in files writes it down, and brings it back. */
export class LogContents {
  readonly shards: ShardState[]
  readonly topics: RetainedTopics
  readonly answers = new AnsweredKeys()
  /** By source, the fence that was raised last. */
  readonly fences = new Map<string, Fence>()
  private lastTime = 0

  constructor (private readonly options: LogContentsOptions) {
    const epochs = (): EpochStart[] => [{ epoch: options.clock.randomEpoch(), start: 1 }]
    this.shards = Array.from({ length: options.shards }, () => ({ offset: 0, epochs: epochs() }))
    this.topics = new RetainedTopics(options.shards, {
      ...options,
      shardOf: topic => this.shardOf(topic),
      headOf: shard => this.headOf(shard)
    })
  }

  shardOf (topic: string): number {
    return shardOf(topic, this.shards.length)
  }

  headOf (shard: number): ShardHead {
    const { offset, epochs } = this.shards[shard]!
    return { epoch: this.epoch(shard), offset, epochs: [...epochs] }
  }

  epoch (shard: number): number {
    return this.shards[shard]!.epochs.at(-1)!.epoch
  }

  /** Begins an epoch in each shard, right after its last message. */
  beginEpochs (): void {
    for (const state of this.shards) {
      const epoch = { epoch: this.options.clock.randomEpoch(), start: state.offset + 1 }
      state.epochs = [...state.epochs, epoch].slice(-MAX_EPOCHS)
    }
  }

  /** The log's time when it was asked for last. */
  get time (): number {
    return this.lastTime
  }

  /** The log's time never goes back, whatever the clock does. */
  now (): number {
    return this.advanceTo(this.options.clock.now())
  }

  /** Moves the log's time on, if it is not there yet, and returns it. */
  advanceTo (time: number): number {
    this.lastTime = Math.max(this.lastTime, time)
    return this.lastTime
  }

  /** Forgets the keys that are too old, and drops the messages that retention demands. */
  expire (now: number): void {
    this.answers.expire(now)
    this.topics.expire(now)
  }
}
