import { ProtocolError } from '@tickwire/protocol'
import { COMMON_SHARD, type ShardHead, type TailBatch } from '../../log/log.js'
import type { HubParts, ShardState } from '../hub-parts.js'
import { Interest } from './interest.js'
import { LogTime } from './log-time.js'
import { RecentEntries } from './recent.js'

/** How long the node still follows a shard that nobody needs: a client that comes back finds it awake. */
const LINGER_MS = 30_000
/** How often the node reads the epochs of sleeping shards: it sends them to clients, which compare them. */
const LOOK_MS = 10_000

export interface FollowingOptions {
  /** By shard; filled by {@link Following.start}. */
  readonly shards: ShardState[]
  /** Bound of the recent entries of one shard. */
  readonly recentBytes: number
  readonly lingerMs?: number | undefined
  onBatch (batch: TailBatch): void
  /** Passes on the entries that have been received. */
  passOn (): void
  /** Called when a shard has woken or fallen asleep, and when the epochs of sleeping shards were read. */
  onChange (): void
}

/**
 * Follows the shards that somebody needs, and the one that every node must follow. The others sleep: the node
 * receives and keeps no entries of them, no cursor covers them, and except for their epochs, what the node
 * knows of them is as old as their last waking (ADR 27).
 */
export class Following {
  readonly interest: Interest
  private readonly ends = new Map<number, () => void>()
  private timer: NodeJS.Timeout | undefined
  private closed = false

  constructor (private readonly hub: Omit<HubParts, 'interest'>, private readonly options: FollowingOptions) {
    this.interest = new Interest({
      shards: hub.log.shards,
      lingerMs: options.lingerMs ?? LINGER_MS,
      isAwake: shard => options.shards[shard]!.isAwake,
      wake: shard => this.wake(shard),
      sleep: shard => { this.sleep(shard) }
    })
  }

  async start (): Promise<void> {
    const { shards, recentBytes } = this.options
    for (const [shard, { epochs, offset }] of (await this.hub.log.head()).entries()) {
      shards.push({
        isAwake: false,
        epochs: [...epochs],
        received: offset,
        pending: [],
        flushed: offset,
        recent: new RecentEntries(shard, offset, recentBytes),
        time: new LogTime()
      })
    }
    await this.interest.follow([COMMON_SHARD])
    this.timer = setInterval(() => { this.readSleepingEpochs() }, LOOK_MS).unref()
  }

  close (): void {
    this.closed = true
    clearInterval(this.timer)
    this.interest.close()
    for (const end of this.ends.values()) end()
  }

  /** Reads the epochs of sleeping shards from the log. If the log does not answer, the timer asks again. */
  readSleepingEpochs (): void {
    const { shards, onChange } = this.options
    const asleep = [...shards.keys()].filter(shard => !shards[shard]!.isAwake)
    if (asleep.length === 0) return
    this.hub.log.head(asleep).then(heads => {
      for (const [index, { epochs }] of heads.entries()) {
        const state = shards[asleep[index]!]!
        if (!state.isAwake) state.epochs = [...epochs]
      }
      onChange()
    }, () => {})
  }

  private async wake (index: number): Promise<void> {
    // If a new epoch begins meanwhile, what was read mixes two epochs: all of it is read again.
    while (!await this.follow(index)) if (this.closed) throw new ProtocolError('going_away')
  }

  /**
   * @returns whether the node follows the shard now: false if the reads mix two epochs, or the hub has closed
   */
  private async follow (index: number): Promise<boolean> {
    const { log, directory } = this.hub
    const { shards, onBatch, onChange } = this.options
    const early: TailBatch[] = []
    const state = shards[index]!
    const { head, end } = await log.tail(index, batch => {
      if (state.isAwake) onBatch(batch)
      else early.push(batch)
    })
    try {
      const recent = await this.readRecentEntries(index, head)
      if (!await directory.load(log, index, head.epoch) || this.closed) {
        end()
        return false
      }
      this.ends.set(index, end)
      const { epochs, offset } = head
      Object.assign(state, { isAwake: true, epochs: [...epochs], received: offset, flushed: offset, recent })
    } catch (error) {
      end()
      throw error
    }
    onChange()
    for (const batch of early) onBatch(batch)
    return true
  }

  /** Reads the newest entries of a shard up to its head; none if the one at the head is missing. */
  private async readRecentEntries (shard: number, { offset }: ShardHead): Promise<RecentEntries> {
    const { recentBytes } = this.options
    const known = (await this.hub.log.recent(shard, recentBytes)).filter(entry => entry.offset <= offset)
    const start = known.at(-1)?.offset === offset ? known[0]!.offset - 1 : offset
    const recent = new RecentEntries(shard, start, recentBytes)
    if (recent.start < offset) for (const entry of known) recent.push(entry)
    return recent
  }

  private sleep (shard: number): void {
    const state = this.options.shards[shard]!
    // While topics are being restated the hub passes nothing on: `Interest` asks again later.
    if (this.hub.epochChange !== undefined) return
    if (state.pending.length > 0) this.options.passOn()
    const inShard = (topic: string): boolean => this.hub.log.shardOf(topic) === shard
    this.hub.sendPending(inShard)
    this.hub.cutStates.forgetAll(inShard)
    this.ends.get(shard)!()
    this.ends.delete(shard)
    state.isAwake = false
    state.recent.restart(state.received)
    this.options.onChange()
  }
}
