import { type Cursor, parseTopicKey, type ThrottledChannels } from '@tickwire/protocol'
import { readAcknowledged } from '../../log/acknowledged.js'
import { COMMON_SHARD, followsOn, isGood, type ShardHead } from '../../log/log.js'
import type { Selection } from '../audience/selector.js'
import type { Hub } from '../hub.js'
import { instrumentTopics } from '../shards/known-instruments.js'
import type { Bookmark } from './bookmark.js'
import type { Plan, PlanOptions } from './plan.js'
import { locate } from './position.js'

/**
 * Where a catch-up begins. Sequences are by topic, with the epochs in which the client saw them, by shard.
 */
export type StartPosition =
  | { readonly from: 'now' }
  | { readonly from: 'cursor', readonly cursor: Cursor }
  | {
    readonly from: 'sequences'
    readonly sequences: ReadonlyMap<string, number>
    readonly epochs: readonly number[]
  }
  | { readonly from: 'bookmark', readonly bookmark: Bookmark }

type Heads = ReadonlyMap<number, ShardHead>

/** Whether a topic is in one of the channels in which something was throttled or cut. */
const isReduced = (topic: string, channels: ThrottledChannels): boolean =>
  channels === 'all' || channels.has(parseTopicKey(topic).channel)

/** Works out what a plan begins with: what the client has, and what it lost. */
export class Start {
  constructor (
    private readonly plan: Plan,
    private readonly hub: Hub,
    private readonly selection: Selection,
    private readonly options: PlanOptions
  ) {}

  /** @throws ProtocolError `log_unavailable` */
  async at (start: StartPosition): Promise<void> {
    switch (start.from) {
      case 'now': await this.atPresent(() => true); break
      case 'cursor': await this.atCursor(start.cursor); break
      case 'sequences': await this.atSequences(start.sequences, start.epochs); break
      case 'bookmark': this.atBookmark(start.bookmark); break
    }
    for (const shard of this.plan.shards) this.plan.resetHeld(shard)
  }

  private async atPresent (concerned: (topic: string) => boolean): Promise<void> {
    const acknowledged: string[] = []
    for (const [topic] of this.selection.existing(this.hub.directory)) {
      if (this.options.except(topic) || !concerned(topic)) continue
      if (this.isAcknowledged(topic)) acknowledged.push(topic)
      else this.plan.begin(topic, this.options.snapshots)
    }
    await this.behindAcknowledged(acknowledged)
  }

  private isAcknowledged (topic: string): boolean {
    return this.hub.channelOf(topic)?.acknowledged === true
  }

  /** PROTOCOL.md, Acknowledged channels: begins topics behind what their user has acknowledged. */
  private async behindAcknowledged (topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return
    const { hub: { log, directory }, plan, selection } = this
    const shards = new Set(topics.map(topic => log.shardOf(topic)))
    // Their shards are read from earlier on, but the other topics are not.
    for (const [topic] of selection.existing(directory)) {
      const shard = log.shardOf(topic)
      if (!shards.has(shard) || topics.includes(topic) || plan.floors.has(topic)) continue
      if (!this.options.except(topic) && !plan.joinsByState(topic)) {
        plan.beginBehind(topic, plan.position[shard]!)
      }
    }
    await Promise.all(topics.map(async topic => {
      const { offset } = await readAcknowledged(log, topic)
      const lost = !followsOn(await log.read(topic, { offset }, 1), offset)
      if (lost) plan.reset(topic, 'history_lost')
      plan.beginBehind(topic, lost ? 0 : Math.min(offset, await this.behindLast(topic)))
    }))
  }

  /** Returns the offset behind which the messages come that `last` asks for; Infinity if there is none. */
  private async behindLast (topic: string): Promise<number> {
    const { hub: { log, directory }, selection } = this
    const last = selection.last(topic)
    if (last === 0) return Infinity
    const sequence = Math.max(0, (directory.last(topic)?.sequence ?? 0) - last)
    return (await log.read(topic, { sequence }, 1)).entries[0]?.previous ?? Infinity
  }

  private async atCursor (cursor: Cursor): Promise<void> {
    const { plan, selection } = this
    const heads = await this.headsSeen()
    const lostShards = new Set<number>()
    const newShards = new Set<number>()
    for (const [shard, head] of heads) {
      const position = cursor.shards.get(shard)
      if (position === undefined) newShards.add(shard)
      else if (isGood(position, head)) plan.resumeShard(shard, position.offset)
      else lostShards.add(shard)
    }
    const shardOf = (topic: string): number => this.hub.log.shardOf(topic)
    if (newShards.size > 0) await this.atPresent(topic => newShards.has(shardOf(topic)))
    plan.noteLostTopics(cursor.lostTopics)
    const fresh: string[] = []
    const isGoodShard = (topic: string): boolean =>
      !newShards.has(shardOf(topic)) && !lostShards.has(shardOf(topic))
    for (const [topic] of selection.existing(this.hub.directory)) {
      if (this.options.except(topic) || !isGoodShard(topic)) continue
      if (selection.fresh(topic) && this.isAcknowledged(topic)) fresh.push(topic)
      else if (selection.fresh(topic)) plan.beginAnew(topic)
      else if (this.mayHaveEntered(topic, cursor.shards, heads)) plan.reset(topic, 'entered')
      else if (plan.joinsByState(topic)) plan.requireJoin(topic)
      else if (isReduced(topic, cursor.throttled)) plan.requireState(topic)
    }
    await this.behindAcknowledged(fresh)
    for (const shard of lostShards) plan.resetShard(shard)
    await this.checkContinuity(isGoodShard)
  }

  /**
   * Compares with the hub's epochs instead of the log's: the hub is in one of them, and each page says where
   * the log went on.
   */
  private atBookmark ({ epochs, position, floors, pending, lostTopics, sets }: Bookmark): void {
    const { plan, selection } = this
    plan.resumeAll(epochs, position)
    plan.noteLostTopics(lostTopics)
    const moved = sets.version !== this.hub.membership.version
    const heads = new Map(this.hub.shards.map(({ epochs, received }, shard) =>
      [shard, { epoch: this.hub.epoch(shard), offset: received, epochs }]))
    for (const [topic] of selection.existing(this.hub.directory)) {
      if (moved && this.mayHaveEntered(topic, sets.position, heads)) plan.restate(topic, 'entered')
      else if (plan.joinsByState(topic)) plan.requireJoin(topic)
      // It may have been throttled before a set that it entered made it whole.
      else if (moved && isReduced(topic, sets.reduced)) plan.requireState(topic)
    }
    for (const [topic, offset] of floors) if (selection.has(topic)) plan.resumeTopic(topic, offset)
    for (const [topic, { reason, givenUpTo, voids }] of pending) {
      if (!selection.has(topic)) continue
      if (givenUpTo === undefined) plan.restate(topic, reason, voids)
      else if (!plan.pending.has(topic)) {
        plan.markPartGiven(topic, reason, givenUpTo)
        plan.markSent(topic, givenUpTo)
      }
    }
  }

  private async atSequences (
    sequences: ReadonlyMap<string, number>, epochs: readonly number[]
  ): Promise<void> {
    const { plan, selection, hub } = this
    const heads = await this.headsSeen()
    // All at once: the log answers many reads in one round trip.
    const pages = new Map(await Promise.all([...sequences].map(async ([topic, sequence]) =>
      [topic, await hub.log.read(topic, { sequence }, 1)] as const)))
    for (const topic of selection.named()) {
      if (this.options.except(topic)) continue
      const sequence = selection.fresh(topic) ? undefined : sequences.get(topic)
      if (sequence === undefined && this.isAcknowledged(topic)) {
        if (hub.directory.last(topic) !== undefined) await this.behindAcknowledged([topic])
        continue
      }
      if (sequence === undefined) {
        plan.beginAnew(topic, this.options.snapshots)
        continue
      }
      const shard = hub.log.shardOf(topic)
      const found = locate(sequence, epochs[shard] ?? NaN, pages.get(topic)!, heads.get(shard)!)
      if ('lost' in found) plan.reset(topic, found.lost)
      else if (plan.joinsByState(topic)) {
        plan.markSent(topic, found.offset)
        plan.requireJoin(topic)
      } else plan.resumeTopic(topic, found.offset)
    }
    // Each topic has a start of its own: a shard is read from the earliest of them.
    for (const topic of selection.named()) {
      if (this.options.except(topic) || plan.joinsByState(topic)) continue
      plan.readFrom(hub.log.shardOf(topic), plan.pending.has(topic) ? 0 : plan.floors.get(topic) ?? 0)
    }
  }

  /** Whether the client gets the topic only by a set that its symbol may have entered after the cursor. */
  private mayHaveEntered (topic: string, before: Cursor['shards'], heads: Heads): boolean {
    if (!this.selection.hasSets || !this.selection.bySetOnly(topic)) return false
    const position = before.get(COMMON_SHARD)
    if (position === undefined || !isGood(position, heads.get(COMMON_SHARD)!)) return true
    const { directory } = this.hub
    return instrumentTopics(parseTopicKey(topic).symbol!).some(instrument =>
      (directory.last(instrument)?.offset ?? 0) > position.offset)
  }

  /** Reads the log's own heads, and waits until the hub has heard of the same epochs. */
  private async headsSeen (): Promise<Heads> {
    const { hub, plan: { shards } } = this
    for (;;) {
      // Asked for before the read, so that what the hub hears of meanwhile need not be waited for.
      const advanced = hub.advanced()
      const heads = await hub.log.head(shards)
      await hub.epochChange
      if (heads.every(({ epoch }, index) => epoch === hub.epoch(shards[index]!))) {
        this.plan.enterHubsEpochs()
        return new Map(heads.map((head, index) => [shards[index]!, head]))
      }
      await advanced
    }
  }

  /** Resets the topics whose next message does not follow on. `recovered` says whether there were any. */
  private async checkContinuity (concerned: (topic: string) => boolean): Promise<void> {
    const { plan, hub } = this
    const checks: Array<Promise<void>> = []
    for (const [topic, last] of this.selection.existing(hub.directory)) {
      const shard = hub.log.shardOf(topic)
      const from = plan.position[shard]!
      if (last.offset <= from || hub.shards[shard]!.recent.covers(from)) continue
      if (!concerned(topic) || this.options.except(topic)) continue
      if (plan.pending.has(topic) || plan.floors.has(topic) || plan.joinsByState(topic)) continue
      checks.push(hub.log.read(topic, { offset: from }, 1).then(page => {
        if (!followsOn(page, from)) plan.reset(topic, this.options.dropped)
      }))
    }
    await Promise.all(checks)
  }
}
