import { type Cursor, instruments, type ResetReason, topicKey, parseTopicKey } from '@tickwire/protocol'
import { followsOn, isGood, type ShardHead } from '../../log/log.js'
import type { Bookmark } from './bookmark.js'
import type { Hub } from '../hub.js'
import { type PendingState, STATE_ALONE } from './pending.js'
import { locate } from './position.js'
import type { Selection } from '../audience/selector.js'
import { isWhole } from '../conflation/view.js'

/** Where a catch-up begins. Sequences are by topic, with the epochs of all shards in which they were seen. */
export type StartPosition =
  | { readonly from: 'now' }
  | { readonly from: 'cursor', readonly cursor: Cursor }
  | { readonly from: 'sequences', readonly sequences: ReadonlyMap<string, number>, readonly epochs: readonly number[] }
  | { readonly from: 'bookmark', readonly bookmark: Bookmark }

export interface PlanOptions {
  /** Whether a topic without a position is given its state first. */
  readonly snapshots: boolean
  /** Topics of the selection that are being sent already. */
  readonly except: (topic: string) => boolean
  /** Those of them that will be wanted at another depth, and so need their state anew; absent where there are none. */
  readonly restates?: (topic: string) => boolean
  /**
   * - `join`: topics that are throttled or cut are given their state in the tick in which live delivery begins;
   * - `merge`: their messages are merged as they are read, and a cut topic is given by its state.
   */
  readonly reduced: 'join' | 'merge'
  /** Most messages that `last` may come to, over all topics. */
  readonly maxBacklog: number
  /** Most characters of what the log still holds of topics that are reset and have no state; beyond them it is the newest alone. */
  readonly maxRetained: number
  /** What is said of a topic whose next messages the log has dropped. */
  readonly dropped: ResetReason
}

type Heads = ReadonlyMap<number, ShardHead>

/** What a catch-up has to send: by shard and by topic, from where, and what comes first. */
export class Plan {
  /** The shards of the selection: those that count here. */
  readonly shards: readonly number[]
  /** By shard, in the epochs of {@link epochs}: everything up to here has been sent, or was not asked for. */
  position: number[]
  epochs: number[]
  /** Topics that stand elsewhere than {@link position}: up to here their messages are known, or part of a snapshot. */
  readonly floors = new Map<string, number>()
  /** Topics whose state is to be sent. */
  readonly pending = new Map<string, PendingState>()
  /** Topics whose state is to be sent in the tick of joining. What must be reset is reset before: it is due. */
  readonly joining = new Set<string>()
  /** Of each topic the last offset that was sent in this catch-up, or that the client said it holds; 0 after a reset alone. */
  readonly sent = new Map<string, number>()
  /** Topics whose newest messages come before their state, and from which sequence on. */
  readonly backlog = new Map<string, number>()
  /** By shard, the position of the cursor that it began with: the client holds every topic up to there. */
  readonly origin: Array<number | undefined> = []
  lost = false
  /** See `CursorMarks.lostTopics` of the protocol package. */
  lostTopics: number | undefined
  /** Whether the client gave a position. */
  resumed = false
  /** Topics that were there at the last look of {@link noteNewTopics}. */
  private readonly seen = new Set<string>()
  /** Those of them that were being sent already. */
  private readonly live = new Set<string>()
  private membersSeen: number
  private topicCount: number | undefined
  /** Whether a topic that is born meanwhile may have to be joined by its state. */
  private readonly looks: boolean

  constructor (private readonly hub: Hub, private readonly selection: Selection, private readonly options: PlanOptions) {
    this.shards = selection.shards(hub.log)
    this.position = hub.shards.map(shard => shard.flushed)
    this.epochs = hub.shards.map((_, shard) => hub.epoch(shard))
    this.membersSeen = hub.membership.version
    this.looks = selection.reduced || options.restates !== undefined
    for (const [topic] of selection.existing(hub.directory)) {
      this.seen.add(topic)
      if (options.except(topic)) this.noteLive(topic)
    }
  }

  /**
   * Looks for topics that came up since the last look and must be given by their state: those that are throttled or
   * cut, and those whose symbols came into a set. @returns whether there are any
   */
  noteNewTopics (): boolean {
    const moved = this.membersSeen !== this.hub.membership.version
    this.membersSeen = this.hub.membership.version
    if (!this.looks && !moved) return false
    let found = moved && this.noteMoves()
    if (!this.looks && !this.selection.hasSets) return found
    for (const [topic] of this.selection.existing(this.hub.directory)) {
      if (this.seen.has(topic)) continue
      this.seen.add(topic)
      if (this.options.except(topic)) {
        this.noteLive(topic)
        found ||= this.joining.has(topic)
      } else if (moved && this.selection.bySetOnly(topic)) {
        this.give(topic, 'entered')
        found = true
      } else if (this.joinsByState(topic)) {
        this.give(topic, this.lostTopics === undefined ? undefined : 'epoch_changed')
        found = true
      }
    }
    return found
  }

  /**
   * Symbols changed their sets: their topics may be nothing to the client any more, or have begun to be sent live, or
   * have come to be wanted here alone.
   */
  private noteMoves (): boolean {
    for (const topics of [this.pending, this.joining, this.seen, this.live]) {
      for (const topic of topics.keys()) if (!this.selection.has(topic)) topics.delete(topic)
    }
    let found = false
    for (const topic of this.seen) {
      const live = this.options.except(topic)
      if (live === this.live.has(topic)) continue
      found = true
      if (live) {
        this.pending.delete(topic)
        this.joining.delete(topic)
        this.noteLive(topic)
      } else {
        this.live.delete(topic)
        this.give(topic, 'entered')
      }
    }
    return found
  }

  private noteLive (topic: string): void {
    this.live.add(topic)
    if (this.options.restates?.(topic) === true) this.joining.add(topic)
  }

  async start (start: StartPosition): Promise<void> {
    this.resumed = start.from !== 'now'
    switch (start.from) {
      case 'now': this.startNow(() => true); break
      case 'cursor': await this.startAtCursor(start.cursor); break
      case 'sequences': await this.startAtSequences(start.sequences, start.epochs); break
      case 'bookmark': this.startAtBookmark(start.bookmark); break
    }
  }

  /** Whether a topic is sent as its state, not as every message, and so is left out until the tick of joining. */
  joinsByState (topic: string): boolean {
    return this.options.reduced === 'join' && !isWhole(this.selection.view(topic))
  }

  /** Something of a topic could not be told: its reset, and what stands for it, come next. */
  lose (topic: string): void {
    this.give(topic, 'history_lost', true)
  }

  reset (topic: string, reason: ResetReason): void {
    if (this.options.except(topic)) return
    this.give(topic, reason)
    this.backlog.delete(topic)
    this.lost = true
  }

  /** The state of a topic comes when it is time for it; a reset at once, so that no cursor is sent before it. */
  private give (topic: string, reason: ResetReason | undefined, voids?: boolean): void {
    const joins = this.joinsByState(topic)
    if (joins) this.joining.add(topic)
    if (!joins || reason !== undefined) this.pending.set(topic, voids === true ? { reason, voids } : { reason })
  }

  /** The client's position in a shard is lost, and with it all that it holds there (PROTOCOL.md, Epochs). */
  resetShard (shard: number): void {
    this.position[shard] = 0
    this.origin[shard] = undefined
    this.lostTopics = leastOf(this.lostTopics, this.hub.shards[shard]!.received)
    const inShard = (topic: string): boolean => this.hub.log.shardOf(topic) === shard
    for (const topic of this.selection.named()) if (inShard(topic)) this.reset(topic, 'epoch_changed')
    for (const [topic] of this.selection.existing(this.hub.directory)) if (inShard(topic)) this.reset(topic, 'epoch_changed')
  }

  /** A topic for which the client has no position: the newest messages and the state, as far as they are wanted. */
  private begin (topic: string, snapshot: boolean): void {
    const wanted = this.selection.last(topic)
    const last = wanted === 0 ? 0 : Math.min(wanted, this.backlogOfEach)
    const sequence = this.hub.directory.last(topic)?.sequence ?? 0
    if (last > 0) this.backlog.set(topic, Math.max(0, sequence - last))
    const state = snapshot && this.hub.channelOf(topic)?.reduce !== undefined
    if (this.joinsByState(topic)) {
      // Behind its newest messages it joins by its state in any case: what came after them is not sent one by one.
      if (state || last > 0 || this.selection.view(topic).depth > 0) this.joining.add(topic)
      if (last > 0) this.pending.set(topic, STATE_ALONE)
    } else if (state || last > 0) this.pending.set(topic, STATE_ALONE)
  }

  /** What `last` may come to for one topic. */
  private get backlogOfEach (): number {
    const { maxBacklog } = this.options
    if (maxBacklog === Infinity) return Infinity
    this.topicCount ??= [...this.selection.existing(this.hub.directory)].length
    return Math.floor(maxBacklog / Math.max(1, this.topicCount))
  }

  private startNow (concerned: (topic: string) => boolean): void {
    for (const [topic] of this.selection.existing(this.hub.directory)) {
      if (!this.options.except(topic) && concerned(topic)) this.begin(topic, this.options.snapshots)
    }
  }

  private async startAtCursor (cursor: Cursor): Promise<void> {
    const heads = await this.headsSeen()
    const lostShards = new Set<number>()
    const newShards = new Set<number>()
    for (const [shard, head] of heads) {
      const position = cursor.shards.get(shard)
      if (position === undefined) newShards.add(shard)
      else if (isGood(position, head)) this.position[shard] = this.origin[shard] = position.offset
      else lostShards.add(shard)
    }
    const shardOf = (topic: string): number => this.hub.log.shardOf(topic)
    if (newShards.size > 0) this.startNow(topic => newShards.has(shardOf(topic)))
    this.lostTopics = cursor.lostTopics
    for (const [topic] of this.selection.existing(this.hub.directory)) {
      if (this.options.except(topic) || newShards.has(shardOf(topic)) || lostShards.has(shardOf(topic))) continue
      if (this.selection.fresh(topic)) this.startAnew(topic)
      else if (this.mayHaveEntered(topic, cursor.shards, heads)) this.reset(topic, 'entered')
      else if (this.joinsByState(topic)) this.joining.add(topic)
      else if (cursor.throttled === 'all' || cursor.throttled.has(parseTopicKey(topic).channel)) this.pending.set(topic, STATE_ALONE)
    }
    for (const shard of lostShards) this.resetShard(shard)
    await this.checkContinuity(topic => !lostShards.has(shardOf(topic)) && !newShards.has(shardOf(topic)))
  }

  /** PROTOCOL.md, `fresh`: as if there were no position for this topic. */
  private startAnew (topic: string): void {
    this.floors.set(topic, this.hub.shards[this.hub.log.shardOf(topic)]!.flushed)
    this.begin(topic, true)
  }

  /** The hub's own epochs are asked, not the log's: it stands in one of them, and each page says where the log has gone on. */
  private startAtBookmark ({ epochs, position, floors, pending, lostTopics, sets }: Bookmark): void {
    this.epochs = [...epochs]
    this.position = [...position]
    this.origin.push(...position)
    this.lostTopics = lostTopics
    const moved = sets.version !== this.hub.membership.version
    const heads = new Map(this.hub.shards.map(({ epochs, received }, shard) => [shard, { epoch: this.hub.epoch(shard), offset: received, epochs }]))
    for (const [topic] of this.selection.existing(this.hub.directory)) {
      if (moved && this.mayHaveEntered(topic, sets.position, heads)) this.give(topic, 'entered')
      else if (this.joinsByState(topic)) this.joining.add(topic)
      // It may have been throttled before a set that it entered made it whole.
      else if (moved && (sets.reduced === 'all' || sets.reduced.has(parseTopicKey(topic).channel))) this.pending.set(topic, STATE_ALONE)
    }
    for (const [topic, offset] of floors) {
      if (!this.selection.has(topic)) continue
      this.floors.set(topic, offset)
      this.sent.set(topic, offset)
    }
    for (const [topic, state] of pending) {
      if (!this.selection.has(topic)) continue
      if (state.givenUpTo === undefined) this.give(topic, state.reason, state.voids)
      else if (!this.pending.has(topic)) this.goOnGiving(topic, state, state.givenUpTo)
    }
  }

  private goOnGiving (topic: string, state: PendingState, givenUpTo: number): void {
    this.pending.set(topic, state)
    this.sent.set(topic, givenUpTo)
  }

  /** Whether symbols have changed their sets since the last look: what that causes is still to be sent. */
  get movesUnseen (): boolean {
    return this.membersSeen !== this.hub.membership.version
  }

  /** Whether the topic is sent because its symbol is in a set, and may have come into it after the cursor. */
  private mayHaveEntered (topic: string, before: Cursor['shards'], heads: Heads): boolean {
    if (!this.selection.hasSets || !this.selection.bySetOnly(topic)) return false
    const instrument = topicKey({ channel: instruments.name, symbol: parseTopicKey(topic).symbol! })
    const shard = this.hub.log.shardOf(instrument)
    const position = before.get(shard)
    if (position === undefined || !isGood(position, heads.get(shard)!)) return true
    return (this.hub.directory.last(instrument)?.offset ?? 0) > position.offset
  }

  private async startAtSequences (sequences: ReadonlyMap<string, number>, epochs: readonly number[]): Promise<void> {
    const heads = await this.headsSeen()
    for (const topic of this.selection.named()) {
      if (this.options.except(topic)) continue
      const sequence = this.selection.fresh(topic) ? undefined : sequences.get(topic)
      const shard = this.hub.log.shardOf(topic)
      if (sequence === undefined) {
        this.floors.set(topic, this.hub.shards[shard]!.flushed)
        this.begin(topic, this.options.snapshots)
        continue
      }
      const found = locate(sequence, epochs[shard] ?? NaN, await this.hub.log.read(topic, { sequence }, 1), heads.get(shard)!)
      if ('lost' in found) this.reset(topic, found.lost)
      else {
        this.sent.set(topic, found.offset)
        if (this.joinsByState(topic)) this.joining.add(topic)
        else this.floors.set(topic, found.offset)
      }
    }
    // Each topic has its own start: the common position is the earliest of them.
    for (const topic of this.selection.named()) {
      if (this.options.except(topic) || this.joinsByState(topic)) continue
      const shard = this.hub.log.shardOf(topic)
      this.position[shard] = Math.min(this.position[shard]!, this.pending.has(topic) ? 0 : this.floors.get(topic) ?? 0)
    }
  }

  /** The log's own heads, once the hub has heard of the same epochs. */
  private async headsSeen (): Promise<Heads> {
    for (;;) {
      // Asked for before the read: what the hub hears of meanwhile must not be waited for.
      const advanced = this.hub.advanced()
      const heads = await this.hub.log.head(this.shards)
      await this.hub.epochChange
      if (heads.every(({ epoch }, index) => epoch === this.hub.epoch(this.shards[index]!))) {
        this.epochs = this.hub.shards.map((_, shard) => this.hub.epoch(shard))
        return new Map(heads.map((head, index) => [this.shards[index]!, head]))
      }
      await advanced
    }
  }

  /** Finds the topics whose next message does not follow on: what `recovered` says, and what is reset at once. */
  private async checkContinuity (concerned: (topic: string) => boolean): Promise<void> {
    const checks: Array<Promise<void>> = []
    for (const [topic, last] of this.selection.existing(this.hub.directory)) {
      const shard = this.hub.log.shardOf(topic)
      const from = this.position[shard]!
      if (last.offset <= from || this.hub.shards[shard]!.recent.covers(from) || !concerned(topic) || this.options.except(topic)) continue
      if (this.pending.has(topic) || this.floors.has(topic) || this.joinsByState(topic)) continue
      checks.push(this.hub.log.read(topic, { offset: from }, 1).then(page => {
        if (!followsOn(page, from)) this.reset(topic, this.options.dropped)
      }))
    }
    await Promise.all(checks)
  }
}

/** The least of some offsets, where there are any. */
export function leastOf (...offsets: Array<number | undefined>): number | undefined {
  const known = offsets.filter(offset => offset !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}
