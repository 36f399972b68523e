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
  /** Whether the node follows it. Of one that sleeps all else is as old as that, but for the epochs. */
  isAwake: boolean
  epochs: EpochStart[]
  /** Of the last entry that the tail brought. */
  received: number
  /** What came and has not been passed on yet, in order. */
  pending: Entry[]
  /** Of the last entry that was passed on: where live connections stand. */
  flushed: number
  recent: RecentEntries
  /** What time it is in the log: ages are told by it. */
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
  /** Undefined while no new epoch is being dealt with. */
  readonly epochChange: Promise<void> | undefined
  epoch (shard: number): number
  channelOf (topic: string): ChannelDefinition | undefined
  /** Resolves after the next flush, or when a new epoch has been dealt with. */
  advanced (): Promise<void>
  /** Sends what is throttled and pending of some topics, to all. */
  sendPending (concerned: (topic: string) => boolean): void
  /** The state of a topic is not known any more for those who are sent less than every message of it: they are sent a reset. */
  loseReduced (topic: string): void
}
