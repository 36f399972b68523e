import type { ChannelDefinition, Channels } from '@tickwire/protocol'
import type { Entry, EpochStart, Log } from '../log/log.js'
import type { Audience } from './audience/audience.js'
import type { CutStates } from './conflation/cut-states.js'
import type { Directory } from './shards/directory.js'
import type { Failures } from './failures.js'
import type { Interest } from './shards/interest.js'
import type { Counters } from '../metrics/counters.js'
import type { LogTime } from './shards/log-time.js'
import type { Membership } from './audience/membership.js'
import type { RecentEntries } from './shards/recent.js'

export interface ShardState {
  /** Whether the node follows it. While it sleeps, all else but the epochs is as old as its last waking. */
  isAwake: boolean
  epochs: EpochStart[]
  /** The offset of the last entry that the tail brought. */
  received: number
  /** The entries that have been received and not passed on, in order. */
  pending: Entry[]
  /** The offset of the last entry that was passed on: live connections stand here. */
  flushed: number
  recent: RecentEntries
  /** The time of the log, by which the age of its messages is judged. */
  readonly time: LogTime
}

/** The hub as its own parts see it. */
export interface HubParts {
  readonly log: Log
  readonly channels: Channels
  readonly directory: Directory
  readonly membership: Membership
  readonly audience: Audience
  readonly cutStates: CutStates
  readonly shards: readonly ShardState[]
  readonly interest: Interest
  readonly counters: Counters
  readonly failures: Failures
  /** Resolves when topics that lost messages have been restated; undefined while none are. */
  readonly epochChange: Promise<void> | undefined
  epoch (shard: number): number
  channelOf (topic: string): ChannelDefinition | undefined
  /**
   * Resolves when the hub may stand elsewhere: after the next flush, and, while topics are being restated,
   * when the next entries have been received.
   */
  advanced (): Promise<void>
  /** Sends the throttled messages that are pending of some topics, to all of their subscribers. */
  sendPending (concerned: (topic: string) => boolean): void
  /**
   * Resets a topic for subscribers that get less than every message of it: its state is not known any more.
   */
  loseReduced (topic: string): void
}
