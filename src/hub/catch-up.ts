import { type Cursor, parseTopicKey, type ResetReason } from '@tickwire/protocol'
import type { Entry, ShardHead, Snapshot } from '../log/log.js'
import type { Hub } from './hub.js'
import { followsOn, isGood, locate } from './position.js'
import type { Selection } from './selector.js'

/**
 * The one mechanism for everybody who stands at a position and needs what came after (DESIGN, The one idea): a
 * client that resumes, a client that polls, and a new subscriber, who stands at the present and needs the state
 * first. It reads slices from the log up to where the hub stands, and joins live delivery in one tick, from the
 * hub's recent entries. Nothing live is buffered for it.
 */

/** Where a catch-up begins. Sequences are by topic, with the epochs of all shards in which they were seen. */
export type StartPosition =
  | { readonly from: 'now' }
  | { readonly from: 'cursor', readonly cursor: Cursor }
  | { readonly from: 'sequences', readonly sequences: ReadonlyMap<string, number>, readonly epochs: readonly number[] }

/** What is to be sent next, in this order, as JSON texts. */
export interface Slice {
  /** Resets and snapshots: never cut. */
  readonly states: readonly string[]
  /** The log began a new epoch since the slice before. */
  readonly newEpoch: boolean
  readonly messages: readonly string[]
}

/** Longest that one read asks of one topic. */
const MAX_READ = 1000

export class CatchUp {
  /** By shard, in the epochs of {@link epochs}: everything up to here has been sent, or was not asked for. */
  private position: number[]
  private epochs: number[]
  /** Topics that stand elsewhere than {@link position}: up to here their messages are known, or part of a snapshot. */
  private readonly floors = new Map<string, number>()
  /** Topics whose state is to be sent, behind a reset where there is a reason for one. */
  private readonly due = new Map<string, ResetReason | undefined>()
  /** The last offset of each topic that was sent in this catch-up; 0 after a reset alone. */
  private readonly sent = new Map<string, number>()
  /** By shard, the position of the cursor that it began with: the client holds every topic up to there. */
  private readonly origin: Array<number | undefined> = []
  private changed = false
  private lost = false
  private mayHoldLostTopics = false

  private constructor (private readonly hub: Hub, private readonly selection: Selection, private readonly except: (topic: string) => boolean) {
    this.position = hub.shards.map(shard => shard.flushed)
    this.epochs = hub.shards.map((_, shard) => hub.epoch(shard))
  }

  /**
   * @param selection what is wanted
   * @param except topics of the selection that are being sent already
   * @param snapshots whether a topic without a position is given its state first
   */
  static async open (
    hub: Hub, selection: Selection, start: StartPosition, { snapshots, except = () => false }: { snapshots: boolean, except?: (topic: string) => boolean }
  ): Promise<CatchUp> {
    await hub.epochChange
    const catchUp = new CatchUp(hub, selection, except)
    switch (start.from) {
      case 'now': catchUp.startNow(() => snapshots); break
      case 'cursor': await catchUp.startAtCursor(start.cursor, snapshots); break
      case 'sequences': await catchUp.startAtSequences(start.sequences, start.epochs, snapshots); break
    }
    return catchUp
  }

  /** Whether every topic follows on from the position that the client gave, as far as is known now. */
  get recovered (): boolean {
    return !this.lost
  }

  /** See `Cursor.lostTopics` of the protocol package. */
  get lostTopics (): boolean {
    return this.mayHoldLostTopics
  }

  /** The cursor of all that the slices so far have said; undefined while the hub is at another epoch. */
  offsets (): readonly number[] | undefined {
    return this.epochs.every((epoch, shard) => epoch === this.hub.epoch(shard)) ? this.position : undefined
  }

  /** Whether nothing is left to send now: another slice would have to wait for the hub. */
  get caughtUp (): boolean {
    return this.canJoin() && this.position.every((offset, shard) => offset === this.hub.shards[shard]!.flushed)
  }

  /**
   * All that is left, from the hub's recent entries: whoever sends it and attaches in the same tick has missed
   * nothing and sends nothing twice. Undefined where more than `limit` is left, or something must be waited for.
   */
  join (limit: number): readonly string[] | undefined {
    if (!this.canJoin()) return undefined
    const entries: Entry[] = []
    for (const [index, shard] of this.hub.shards.entries()) {
      if (!shard.recent.covers(this.position[index]!)) return undefined
      shard.recent.after(this.position[index]!, entry => {
        if (this.wants(entry)) entries.push(entry)
        return entries.length <= limit
      })
      if (entries.length > limit) return undefined
    }
    this.position = this.hub.shards.map(shard => shard.flushed)
    return this.emit(entries)
  }

  /** The next slice: at most `limit` messages of the log. It is empty where the hub had to be waited for. */
  async next (limit: number): Promise<Slice> {
    await this.hub.epochChange
    this.followEpochs()
    const states = await this.dueStates()
    let messages: Entry[] = []
    for (let shard = 0; shard < this.position.length && messages.length < limit; shard++) {
      messages = messages.concat(await this.read(shard, limit - messages.length))
    }
    if (this.due.size > 0) states.push(...await this.dueStates())
    const newEpoch = this.changed
    this.changed = false
    if (states.length === 0 && messages.length === 0 && !newEpoch && this.due.size === 0 && !this.canJoin()) await this.hub.advanced()
    return { states, newEpoch, messages: this.emit(messages) }
  }

  // ---- where it begins

  private startNow (wantsState: (topic: string) => boolean): void {
    for (const [topic] of this.selection.existing(this.hub.directory)) {
      if (this.except(topic) || !wantsState(topic) || this.reduceOf(topic) === undefined) continue
      this.due.set(topic, undefined)
    }
  }

  private async startAtCursor (cursor: Cursor, snapshots: boolean): Promise<void> {
    const heads = await this.headsSeen()
    const lostShards = new Set<number>()
    const newShards = new Set<number>()
    for (const [shard, head] of heads.entries()) {
      const position = cursor.shards.get(shard)
      if (position === undefined) newShards.add(shard)
      else if (isGood(position, head)) this.position[shard] = this.origin[shard] = position.offset
      else lostShards.add(shard)
    }
    const shardOf = (topic: string): number => this.hub.log.shardOf(topic)
    if (newShards.size > 0) this.startNow(topic => snapshots && newShards.has(shardOf(topic)))
    this.mayHoldLostTopics = cursor.lostTopics
    for (const shard of lostShards) this.resetShard(shard)
    await this.checkContinuity(topic => !lostShards.has(shardOf(topic)) && !newShards.has(shardOf(topic)))
  }

  private async startAtSequences (sequences: ReadonlyMap<string, number>, epochs: readonly number[], snapshots: boolean): Promise<void> {
    const heads = await this.headsSeen()
    for (const topic of this.selection.named()) {
      if (this.except(topic)) continue
      const sequence = sequences.get(topic)
      const shard = this.hub.log.shardOf(topic)
      if (sequence === undefined) {
        if (snapshots && this.reduceOf(topic) !== undefined) this.due.set(topic, undefined)
        this.floors.set(topic, this.hub.shards[shard]!.flushed)
        continue
      }
      const found = locate(sequence, epochs[shard] ?? NaN, await this.hub.log.read(topic, { sequence }, 1), heads[shard]!)
      if ('lost' in found) this.reset(topic, found.lost)
      else this.floors.set(topic, found.offset)
    }
    // Each topic has its own start: the common position is the earliest of them.
    for (const topic of this.selection.named()) {
      if (this.except(topic)) continue
      const shard = this.hub.log.shardOf(topic)
      this.position[shard] = Math.min(this.position[shard]!, this.due.has(topic) ? 0 : this.floors.get(topic) ?? 0)
    }
  }

  /** The client's position in a shard is lost, and with it all that it holds there (PROTOCOL.md, Epochs). */
  private resetShard (shard: number): void {
    this.position[shard] = 0
    this.origin[shard] = undefined
    this.mayHoldLostTopics = true
    for (const topic of this.selection.named()) {
      if (this.hub.log.shardOf(topic) === shard) this.reset(topic, 'epoch_changed')
    }
    for (const [topic] of this.selection.existing(this.hub.directory)) {
      if (this.hub.log.shardOf(topic) === shard) this.reset(topic, 'epoch_changed')
    }
  }

  private reset (topic: string, reason: ResetReason): void {
    if (this.except(topic)) return
    this.due.set(topic, reason)
    this.lost = true
  }

  /** The log's own heads, once the hub has heard of the same epochs. */
  private async headsSeen (): Promise<readonly ShardHead[]> {
    for (;;) {
      // Asked for before the read: what the hub hears of meanwhile must not be waited for.
      const advanced = this.hub.advanced()
      const heads = await this.hub.log.head()
      await this.hub.epochChange
      if (heads.every((head, shard) => head.epoch === this.hub.epoch(shard))) {
        this.epochs = heads.map(head => head.epoch)
        return heads
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
      if (last.offset <= from || this.hub.shards[shard]!.recent.covers(from) || !concerned(topic) || this.except(topic)) continue
      checks.push(this.hub.log.read(topic, { offset: from }, 1).then(page => {
        if (!followsOn(page.entries[0], page.last?.offset ?? 0, from)) this.reset(topic, 'history_lost')
      }))
    }
    await Promise.all(checks)
  }

  // ---- what is sent

  private async dueStates (): Promise<string[]> {
    const texts: string[] = []
    for (const [topic, reason] of [...this.due]) {
      const snapshot = this.reduceOf(topic) === undefined ? undefined : await this.snapshotInEpoch(topic)
      this.due.delete(topic)
      if (reason !== undefined) {
        texts.push(this.hub.encoder.reset(topic, reason))
        this.sent.set(topic, 0)
      }
      if (snapshot !== undefined) {
        texts.push(this.hub.encoder.snapshot(snapshot))
        this.floors.set(topic, snapshot.asOf)
        this.sent.set(topic, snapshot.asOf)
      } else if (reason !== undefined) {
        this.floors.set(topic, await this.beforeFirstHeld(topic))
      }
    }
    return texts
  }

  /** From where a topic without a state goes on after its reset: what the log still holds of it. */
  private async beforeFirstHeld (topic: string): Promise<number> {
    const page = await this.hub.log.read(topic, { offset: this.position[this.hub.log.shardOf(topic)]! }, 1)
    return page.entries[0]?.previous ?? page.last?.offset ?? 0
  }

  private async snapshotInEpoch (topic: string): Promise<Snapshot | undefined> {
    const shard = this.hub.log.shardOf(topic)
    for (;;) {
      const advanced = this.hub.advanced()
      const snapshot = await this.hub.log.snapshot(topic)
      if (snapshot === undefined || snapshot.epoch === this.epochs[shard]) return snapshot
      if (snapshot.epoch !== this.hub.epoch(shard)) await advanced
      await this.hub.epochChange
      this.followEpochs()
    }
  }

  /** What a shard has after the position, up to where the hub stands; moves the position. */
  private async read (shard: number, limit: number): Promise<Entry[]> {
    const { flushed, recent } = this.hub.shards[shard]!
    const position = this.position[shard]!
    if (position >= flushed || this.epochs[shard] !== this.hub.epoch(shard)) return []
    if (!recent.covers(position)) return await this.readLog(shard, flushed, limit)
    const entries: Entry[] = []
    let end = flushed
    recent.after(position, entry => {
      if (!this.wants(entry)) return true
      entries.push(entry)
      if (entries.length < limit) return true
      end = entry.offset
      return false
    })
    this.position[shard] = end
    return entries
  }

  private async readLog (shard: number, flushed: number, limit: number): Promise<Entry[]> {
    const epoch = this.epochs[shard]
    const topics: Array<{ topic: string, from: number }> = []
    for (const [topic, last] of this.selection.existing(this.hub.directory)) {
      if (this.hub.log.shardOf(topic) !== shard || this.except(topic)) continue
      const from = Math.max(this.position[shard]!, this.floors.get(topic) ?? 0)
      if (last.offset > from) topics.push({ topic, from })
    }
    const count = Math.min(MAX_READ, Math.max(1, Math.ceil(limit / Math.max(1, topics.length))))
    const pages = await Promise.all(topics.map(({ topic, from }) => this.hub.log.read(topic, { offset: from }, count)))
    if (pages.some(page => page.epoch !== epoch) || this.hub.epoch(shard) !== epoch) return []
    let end = flushed
    const entries: Entry[] = []
    for (const [index, page] of pages.entries()) {
      const { topic, from } = topics[index]!
      if (!followsOn(page.entries[0], page.last?.offset ?? 0, from)) this.due.set(topic, 'history_lost')
      entries.push(...page.entries)
      if (page.entries.length === count) end = Math.min(end, page.entries.at(-1)!.offset)
    }
    // The position only moves once those have their reset: it says where they go on.
    if (this.due.size > 0) return []
    let slice = entries.filter(entry => entry.offset <= end && this.wants(entry)).sort((a, b) => a.offset - b.offset)
    if (slice.length > limit) {
      end = slice[limit - 1]!.offset
      slice = slice.slice(0, limit)
    }
    this.position[shard] = end
    return slice
  }

  private wants (entry: Entry): boolean {
    return this.selection.has(entry.topic) && entry.offset > (this.floors.get(entry.topic) ?? 0) && !this.except(entry.topic)
  }

  private emit (entries: readonly Entry[]): string[] {
    const texts: string[] = []
    for (const entry of entries) {
      if (this.mayHoldLostTopics && entry.previous === 0 && !this.sent.has(entry.topic)) {
        texts.push(this.hub.encoder.reset(entry.topic, 'epoch_changed'))
      }
      this.sent.set(entry.topic, entry.offset)
      texts.push(this.hub.encoder.entry(entry))
    }
    return texts
  }

  // ---- what may come in between

  private canJoin (): boolean {
    if (this.hub.epochChange !== undefined || this.due.size > 0 || this.changed) return false
    if (this.offsets() === undefined) return false
    for (const [topic, floor] of this.floors) {
      if (floor > this.hub.shards[this.hub.log.shardOf(topic)]!.flushed) return false
    }
    return this.position.every((offset, shard) => offset <= this.hub.shards[shard]!.flushed)
  }

  /** Brings the position into the hub's epochs: what was sent beyond the start of a new one is lost. */
  private followEpochs (): void {
    for (const [shard, { epochs }] of this.hub.shards.entries()) {
      const known = epochs.findIndex(({ epoch }) => epoch === this.epochs[shard])
      if (known === epochs.length - 1) continue
      const start = Math.min(...epochs.slice(known + 1).map(epoch => epoch.start))
      const inShard = (topic: string): boolean => this.hub.log.shardOf(topic) === shard
      for (const [topic, offset] of this.sent) {
        if (inShard(topic) && offset >= start) this.due.set(topic, 'epoch_changed')
      }
      for (const [topic, floor] of this.floors) {
        if (inShard(topic) && floor >= start) this.floors.set(topic, start - 1)
      }
      const origin = this.origin[shard]
      if (origin !== undefined && origin >= start) this.resetShard(shard)
      else this.position[shard] = Math.min(this.position[shard]!, start - 1)
      this.epochs[shard] = this.hub.epoch(shard)
      this.changed = true
    }
  }

  private reduceOf (topic: string): unknown {
    return this.hub.channels.get(parseTopicKey(topic).channel)?.reduce
  }
}
