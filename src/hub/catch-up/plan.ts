import type { ResetReason } from '@tickwire/protocol'
import type { Selection } from '../audience/selector.js'
import { isWhole } from '../conflation/view.js'
import type { Hub } from '../hub.js'
import { type PendingState, STATE_ALONE } from './pending.js'

export interface PlanOptions {
  /** Whether a topic without a position gets its state first. */
  readonly snapshots: boolean
  /** Topics of the selection that are being sent already. */
  readonly except: (topic: string) => boolean
  /** Those of them that will be wanted at another depth, and so need their state anew. Absent if none do. */
  readonly restates?: (topic: string) => boolean
  /**
   * - `join`: topics that are throttled or cut get their state in the tick in which live delivery begins;
   * - `merge`: their messages are merged as they are read, and a cut topic is sent as its state.
   */
  readonly reduced: 'join' | 'merge'
  /** How many messages `last` may come to, over all topics. */
  readonly maxBacklog: number
  /**
   * How many characters of retained messages the client may get of all topics that are reset and have no
   * state. If there are more, it gets only the newest.
   */
  readonly maxRetained: number
  /**
   * By shard, the epochs of states that the client may have beside its position. In another epoch it must
   * forget them first, because a state may have a lower sequence there. Undefined if it has none.
   */
  readonly heldEpochs?: readonly number[] | undefined
  /** The reason of the reset if the log has dropped a topic's next messages. */
  readonly dropped: ResetReason
}

/**
 * What a catch-up still has to send. By shard it is a position: everything up to there was sent, or was not
 * asked for. By topic it says where the topic stands elsewhere, and what comes before its next messages. Each
 * change is a method with a name; all else only reads.
 */
export class Plan {
  /** The shards of the selection: the others do not count here. */
  readonly shards: readonly number[]
  private readonly positions: number[]
  private readonly epochOf: number[]
  private readonly floorOf = new Map<string, number>()
  private readonly pendingOf = new Map<string, PendingState>()
  private readonly joins = new Set<string>()
  private readonly sentUpTo = new Map<string, number>()
  private readonly backlogFrom = new Map<string, number>()
  /** By shard, the position of the cursor at the beginning: the client has every topic up to there. */
  private readonly origin: Array<number | undefined> = []
  /** By shard, the position at which a cursor holds again for all topics that begin behind an offset. */
  private readonly evenFrom: number[] = []
  private leastLost: number | undefined
  private lost = false
  /** Counted once. */
  private topicCount: number | undefined

  /** @param resumed whether the client gave a position */
  constructor (
    private readonly hub: Hub,
    private readonly selection: Selection,
    private readonly options: PlanOptions,
    readonly resumed: boolean
  ) {
    this.shards = selection.shards(hub.log)
    this.positions = hub.shards.map(shard => shard.flushed)
    this.epochOf = hub.shards.map((_, shard) => hub.epoch(shard))
  }

  // ---- where it stands

  /** By shard, in {@link epochs}: everything up to here was sent, or was not asked for. */
  get position (): readonly number[] {
    return this.positions
  }

  /** By shard. */
  get epochs (): readonly number[] {
    return this.epochOf
  }

  /** The shards of which no cursor at these positions would say where each topic begins. */
  behind (positions: readonly number[]): readonly number[] {
    if (this.evenFrom.length === 0) return NO_SHARDS
    return this.shards.filter(shard => positions[shard]! < (this.evenFrom[shard] ?? 0))
  }

  /** Topics that stand elsewhere than {@link position}: up to here the client has their messages or state. */
  get floors (): ReadonlyMap<string, number> {
    return this.floorOf
  }

  /** What comes before the next messages of a topic, in the order in which it is sent. */
  get pending (): ReadonlyMap<string, PendingState> {
    return this.pendingOf
  }

  /** Topics whose state is sent in the tick of joining. If such a topic is reset, the reset comes before. */
  get joining (): ReadonlySet<string> {
    return this.joins
  }

  /** By topic, the last offset that was sent here or that the client said it has; 0 after a reset alone. */
  get sent (): ReadonlyMap<string, number> {
    return this.sentUpTo
  }

  /** Topics whose newest messages come before their state, and the sequence behind which these begin. */
  get backlog (): ReadonlyMap<string, number> {
    return this.backlogFrom
  }

  /** See `CursorMarks.lostTopics` of the protocol package. */
  get lostTopics (): number | undefined {
    return this.leastLost
  }

  /** Whether every topic follows on from the position that the client gave, as far as is known now. */
  get recovered (): boolean {
    return !this.lost
  }

  /** Whether a topic is sent as its state instead of every message, and is left out until the joining. */
  joinsByState (topic: string): boolean {
    return this.options.reduced === 'join' && !isWhole(this.selection.view(topic))
  }

  // ---- what the client has at the beginning

  /** The client stands at an offset of a shard, and has every topic up to there. */
  resumeShard (shard: number, offset: number): void {
    this.positions[shard] = this.origin[shard] = offset
  }

  /** The client stands where another catch-up stood. */
  resumeAll (epochs: readonly number[], position: readonly number[]): void {
    for (const [shard, epoch] of epochs.entries()) this.epochOf[shard] = epoch
    for (const [shard, offset] of position.entries()) this.resumeShard(shard, offset)
  }

  /** The client has a topic up to an offset. */
  resumeTopic (topic: string, offset: number): void {
    this.floorOf.set(topic, offset)
    this.sentUpTo.set(topic, offset)
  }

  /** Reads a shard from an offset at the latest: one of its topics stands there. */
  readFrom (shard: number, offset: number): void {
    this.positions[shard] = Math.min(this.positions[shard]!, offset)
  }

  /** The hub has heard of the epochs in which the log stands. */
  enterHubsEpochs (): void {
    for (const shard of this.hub.shards.keys()) this.epochOf[shard] = this.hub.epoch(shard)
  }

  noteLostTopics (offset: number | undefined): void {
    this.leastLost = leastOf(this.leastLost, offset)
  }

  // ---- what a topic needs first

  /** A topic without a position begins: with its newest messages and its state, as far as they are wanted. */
  begin (topic: string, snapshot: boolean): void {
    const wanted = this.selection.last(topic)
    const last = wanted === 0 ? 0 : Math.min(wanted, this.backlogOfEach)
    const sequence = this.hub.directory.last(topic)?.sequence ?? 0
    if (last > 0) this.backlogFrom.set(topic, Math.max(0, sequence - last))
    const state = snapshot && this.hub.channelOf(topic)?.reduce !== undefined
    if (this.joinsByState(topic)) {
      // After its newest messages it joins by its state in any case: later messages are not sent one by one.
      if (state || last > 0 || this.selection.view(topic).depth > 0) this.requireJoin(topic)
      if (last > 0) this.requireState(topic)
    } else if (state || last > 0) this.requireState(topic)
  }

  /** PROTOCOL.md, `fresh`: the topic begins as if there were no position for it. */
  beginAnew (topic: string, snapshot = true): void {
    this.floorOf.set(topic, this.hub.shards[this.hub.log.shardOf(topic)]!.flushed)
    this.begin(topic, snapshot)
  }

  /** The topic begins behind an offset: the client needs what came after it. */
  beginBehind (topic: string, offset: number): void {
    const shard = this.hub.log.shardOf(topic)
    this.floorOf.set(topic, offset)
    const even = Math.min(offset, this.origin[shard] ?? Infinity)
    this.evenFrom[shard] = Math.max(this.evenFrom[shard] ?? 0, even)
    this.readFrom(shard, offset)
  }

  /** The topic's state comes next, without a reset. */
  requireState (topic: string): void {
    this.pendingOf.set(topic, STATE_ALONE)
  }

  /** The topic's state comes in the tick of joining. */
  requireJoin (topic: string): void {
    this.joins.add(topic)
  }

  /**
   * The topic's state comes when it is time for it. A reset before it comes at once, so that no cursor goes
   * out before it.
   * @param reason of the reset; undefined where there is none
   * @param voids see {@link PendingState}
   */
  restate (topic: string, reason: ResetReason | undefined, voids?: boolean): void {
    const joins = this.joinsByState(topic)
    if (joins) this.requireJoin(topic)
    if (joins && reason === undefined) return
    this.pendingOf.set(topic, voids === true ? { reason, voids } : { reason })
  }

  /** The client lost its position in a topic. */
  reset (topic: string, reason: ResetReason): void {
    if (this.options.except(topic)) return
    this.restate(topic, reason)
    this.backlogFrom.delete(topic)
    this.lost = true
  }

  /** A message of a topic could not be written: a reset, and what stands for it, come next. */
  lose (topic: string): void {
    this.restate(topic, 'history_lost', true)
  }

  /**
   * Resets the topics of a shard of which the client may have a state of another epoch.
   * @returns whether it resets any
   */
  resetHeld (shard: number): boolean {
    const held = this.options.heldEpochs?.[shard]
    if (held === undefined || held === this.epochOf[shard]) return false
    let resets = false
    for (const [topic] of this.selection.existing(this.hub.directory)) {
      if (this.hub.log.shardOf(topic) !== shard || this.options.except(topic)) continue
      const isReset = this.pendingOf.get(topic)?.reason !== undefined
      if (isReset || this.hub.channelOf(topic)?.reduce === undefined) continue
      this.restate(topic, 'epoch_changed')
      resets = true
    }
    return resets
  }

  /** The client lost its position in a shard, and with it all that it has there (PROTOCOL.md, Epochs). */
  resetShard (shard: number): void {
    this.positions[shard] = 0
    this.origin[shard] = undefined
    this.evenFrom[shard] = 0
    this.noteLostTopics(this.hub.shards[shard]!.received)
    const inShard = (topic: string): boolean => this.hub.log.shardOf(topic) === shard
    for (const topic of this.selection.named()) if (inShard(topic)) this.reset(topic, 'epoch_changed')
    for (const [topic] of this.selection.existing(this.hub.directory)) {
      if (inShard(topic)) this.reset(topic, 'epoch_changed')
    }
  }

  /**
   * The hub has gone to another epoch of a shard: what was sent from an offset on is lost.
   * @returns whether this causes a reset that a client with an older cursor would miss
   */
  enterEpoch (shard: number, epoch: number, start: number): boolean {
    this.epochOf[shard] = epoch
    if (!this.shards.includes(shard)) return false
    const { log } = this.hub
    let resets = false
    for (const [topic, offset] of this.sentUpTo) {
      if (log.shardOf(topic) !== shard || offset < start) continue
      if (!this.selection.has(topic) || this.options.except(topic)) continue
      this.pendingOf.set(topic, { reason: 'epoch_changed' })
      resets = true
    }
    for (const [topic, floor] of this.floorOf) {
      if (log.shardOf(topic) === shard && floor >= start) this.floorOf.set(topic, start - 1)
    }
    this.evenFrom[shard] = Math.min(this.evenFrom[shard] ?? 0, start - 1)
    const origin = this.origin[shard]
    if (origin !== undefined && origin >= start) {
      this.resetShard(shard)
      return true
    }
    this.readFrom(shard, start - 1)
    return this.resetHeld(shard) || resets
  }

  /** The topic is sent live meanwhile, or is not wanted any more. */
  forget (topic: string): void {
    this.pendingOf.delete(topic)
    this.joins.delete(topic)
  }

  // ---- what was sent

  /** Everything of a shard was read up to an offset. */
  advance (shard: number, offset: number): void {
    this.positions[shard] = offset
  }

  /** Everything was sent that the hub has passed on. */
  advanceToHub (): void {
    for (const [shard, { flushed }] of this.hub.shards.entries()) this.positions[shard] = flushed
  }

  markSent (topic: string, offset: number): void {
    this.sentUpTo.set(topic, offset)
  }

  /** The client was sent a reset: it has nothing of the topic. */
  markReset (topic: string): void {
    this.sentUpTo.set(topic, 0)
  }

  /** @returns the sequence behind which the topic's newest messages are sent now; undefined where none are */
  takeBacklog (topic: string): number | undefined {
    const from = this.backlogFrom.get(topic)
    this.backlogFrom.delete(topic)
    return from
  }

  /**
   * The client was sent what came first.
   * @param upTo the offset up to which that contains the topic's messages; undefined if it contains none
   */
  markGiven (topic: string, upTo: number | undefined): void {
    this.pendingOf.delete(topic)
    if (upTo !== undefined) this.resumeTopic(topic, upTo)
  }

  /** The topic has no state now: it waits for a message that replaces it. */
  markWaiting (topic: string): void {
    this.pendingOf.delete(topic)
    this.floorOf.set(topic, this.positions[this.hub.log.shardOf(topic)]!)
  }

  /** The client was sent a part of a topic's retained messages, up to an offset. */
  markPartGiven (topic: string, reason: ResetReason | undefined, givenUpTo: number): void {
    this.pendingOf.set(topic, { reason, givenUpTo })
  }

  /** The client was sent all of a topic's retained messages, up to an offset. */
  markHistoryGiven (topic: string, end: number): void {
    this.pendingOf.delete(topic)
    this.floorOf.set(topic, end)
  }

  /** How many messages `last` may come to for one topic. */
  private get backlogOfEach (): number {
    const { maxBacklog } = this.options
    if (maxBacklog === Infinity) return Infinity
    this.topicCount ??= [...this.selection.existing(this.hub.directory)].length
    return Math.floor(maxBacklog / Math.max(1, this.topicCount))
  }
}

const NO_SHARDS: readonly number[] = []

/** The least of some offsets, where there are any. */
export function leastOf (...offsets: Array<number | undefined>): number | undefined {
  const known = offsets.filter(offset => offset !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}
