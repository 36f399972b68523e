import { encodeEpoch, type ResetReason, type ThrottledChannels } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../log/log.js'
import { type Bookmark, coveredBy, setsNow } from './bookmark.js'
import { mergeEntries } from './conflate.js'
import type { Decimals, MessageEncoder } from './frame.js'
import { beforeFirstHeld, oldestThatFit, readBacklog, readHeld, SLICE_CHARACTERS } from './held.js'
import type { Hub } from './hub.js'
import { cutSnapshot, type LiveState, LiveStates, stateMessages } from './live-states.js'
import { Plan, type PlanOptions, type StartPosition } from './plan.js'
import { MAX_READ, readMerged, type TopicStart } from './read-merged.js'
import type { Selection } from './selector.js'
import { isWhole, type View } from './view.js'

/**
 * The one mechanism for everybody who stands at a position and needs what came after (DESIGN, The one idea): a
 * client that resumes, a client that polls, one that reads too slowly, and a new subscriber, who stands at the present
 * and needs the state first. It reads slices from the log up to where the hub stands, and joins live delivery in one tick, from the
 * hub's recent entries. Nothing live is buffered for it.
 */

/** What is to be sent next, in this order, as JSON texts. */
export interface Slice {
  /** Whether it begins the resets of a new epoch: no cursor from before may be gone on from. */
  readonly voids: boolean
  /** Resets, snapshots and what `last` asked for: never cut. */
  readonly states: readonly string[]
  /** The epochs, where the log began a new one since the slice before. */
  readonly newEpoch: string | undefined
  readonly messages: readonly string[]
}

export interface CatchUpOptions extends Partial<PlanOptions> {
  readonly snapshots: boolean
  readonly decimals?: Decimals
  /** How a topic is wanted once it is live, where that is not what the selection says. */
  readonly viewOf?: (topic: string) => View
}

export class CatchUp {
  /** Of each topic the last offset that was sent in this catch-up, or that the client said it holds; 0 after a reset alone. */
  private readonly sent: Map<string, number>
  private changed: boolean
  private voids = false
  /** The position behind all that the slices so far have said: what is being read is not sent yet. */
  private told: number[]
  /** What is known of the topics of `plan.joining`. */
  private liveStates: LiveStates | undefined

  private constructor (
    private readonly hub: Hub,
    private readonly selection: Selection,
    private readonly plan: Plan,
    private readonly encoder: MessageEncoder,
    private readonly options: PlanOptions,
    private readonly viewOf: (topic: string) => View,
    epochOwed: boolean
  ) {
    this.sent = new Map(plan.held)
    this.told = [...plan.position]
    this.changed = epochOwed
  }

  /** @param selection what is wanted */
  static async open (hub: Hub, selection: Selection, start: StartPosition, options: CatchUpOptions): Promise<CatchUp> {
    const { decimals = 'string', viewOf = topic => selection.view(topic), ...given } = options
    const planned: PlanOptions = { except: () => false, reduced: 'join', maxBacklog: Infinity, dropped: 'history_lost', ...given }
    await hub.epochChange
    const plan = new Plan(hub, selection, planned)
    await plan.start(start)
    return new CatchUp(hub, selection, plan, hub.encoders[decimals], planned, viewOf, start.from === 'bookmark' && start.bookmark.epochOwed)
  }

  /** Whether it began at a position of the client. */
  get resumes (): boolean {
    return this.plan.resumed
  }

  /** Whether every topic follows on from the position that the client gave, as far as is known now. */
  get recovered (): boolean {
    return !this.plan.lost
  }

  /** The epochs in which it stands. */
  get epochText (): string {
    return encodeEpoch(this.plan.epochs)
  }

  /** See `CursorMarks.lostTopics` of the protocol package. */
  get lostTopics (): number | undefined {
    return this.plan.lostTopics
  }

  /**
   * The cursor of all that the slices so far have said; undefined while the hub is or goes to another epoch, and while resets
   * or states are owed that no position would tell of.
   */
  offsets (): readonly number[] | undefined {
    if (this.owesStates || this.plan.movesUnseen) return undefined
    return this.inHubsEpochs ? this.told : undefined
  }

  /** Whether no topic was sent, or begins, beyond {@link offsets}. */
  get isEven (): boolean {
    return this.beyond().size === 0
  }

  private beyond (): Map<string, number> {
    return new Map([...this.plan.floors].filter(([topic, offset]) => offset > this.told[this.hub.log.shardOf(topic)]!))
  }

  private get inHubsEpochs (): boolean {
    return this.hub.epochChange === undefined && this.plan.epochs.every((epoch, shard) => epoch === this.hub.epoch(shard))
  }

  /**
   * Where it stands between two slices: another catch-up goes on from there.
   * @param reduced the channels of which something is throttled or cut
   */
  bookmark (reduced: ThrottledChannels): Bookmark {
    this.noteNewTopics()
    const { epochs, position, due, lostTopics } = this.plan
    const floors = this.beyond()
    const offsets = floors.size > 0 ? undefined : this.offsets()
    return {
      epochs: [...epochs],
      position: [...position],
      covered: offsets === undefined ? undefined : coveredBy(this.hub, offsets),
      floors,
      due: new Map(due),
      epochOwed: this.changed,
      lostTopics,
      sets: setsNow(this.hub, reduced)
    }
  }

  /** Whether nothing is left to send now: another slice would have to wait for the hub. */
  get caughtUp (): boolean {
    return this.canJoin() && this.plan.position.every((offset, shard) => offset === this.hub.shards[shard]!.flushed)
  }

  /** Whether states are still to be sent. */
  get owesStates (): boolean {
    return this.plan.due.size > 0
  }

  /**
   * All that is left, from the hub's recent entries: whoever sends it and attaches in the same tick has missed
   * nothing and sends nothing twice. Undefined where more than `limit` is left, or something must be waited for.
   */
  join (limit: number): readonly string[] | undefined {
    this.noteNewTopics()
    if (!this.canJoin()) return undefined
    const states = this.plan.joining.size === 0 ? NO_STATES : this.liveStates?.now()
    if (states === undefined) return undefined
    const entries: Entry[] = []
    let characters = 0
    const wants = this.wants.bind(this)
    for (const [index, shard] of this.hub.shards.entries()) {
      if (!shard.recent.covers(this.plan.position[index]!)) return undefined
      shard.recent.after(this.plan.position[index]!, wants, entry => entries.push(entry) <= limit && (characters += entry.payload.length) <= SLICE_CHARACTERS)
      if (entries.length > limit || characters > SLICE_CHARACTERS) return undefined
    }
    this.plan.position = this.hub.shards.map(shard => shard.flushed)
    this.told = [...this.plan.position]
    return [...this.emit(entries), ...this.joiningStates(states)]
  }

  /** Reads what {@link join} will need, once the rest has been sent. */
  async prepareToJoin (): Promise<void> {
    this.noteNewTopics()
    const { joining } = this.plan
    if (joining.size === 0 || !this.caughtUp) return
    if (this.liveStates?.now() === undefined) this.liveStates = await LiveStates.read(this.hub, joining, { histories: true })
  }

  /** The next slice: at most `limit` messages of the log, and about {@link SLICE_CHARACTERS}. It is empty where the hub had to be waited for. */
  async next (limit: number): Promise<Slice> {
    await this.hub.epochChange
    this.followEpochs()
    this.noteNewTopics()
    const states = await this.dueStates()
    let messages: Entry[] = []
    for (let shard = 0; shard < this.plan.position.length && messages.length < limit && !this.owesStates; shard++) {
      messages = messages.concat(this.withoutCut(await this.read(shard, limit - messages.length)))
    }
    if (this.owesStates) states.push(...await this.dueStates())
    // PROTOCOL.md, Control: after the resets that it causes.
    const newEpoch = this.changed && !this.owesStates ? this.epochText : undefined
    if (newEpoch !== undefined) this.changed = false
    const nothing = states.length === 0 && messages.length === 0 && newEpoch === undefined
    if (nothing && !this.owesStates && !this.plan.movesUnseen && !this.canJoin()) await this.hub.advanced()
    this.told = [...this.plan.position]
    const { voids } = this
    this.voids = false
    return { voids, states, newEpoch, messages: this.emit(messages) }
  }

  // ---- what is sent

  /** States, as many as make a slice. */
  private async dueStates (): Promise<string[]> {
    const texts: string[] = []
    const { due, floors, backlog } = this.plan
    let [characters, counted] = [0, 0]
    for (const [topic, reason] of due) {
      for (; counted < texts.length; counted++) characters += texts[counted]!.length
      if (texts.length >= MAX_READ || characters > SLICE_CHARACTERS) break
      const from = backlog.get(topic)
      backlog.delete(topic)
      const newest = from === undefined ? [] : await readBacklog(this.hub.log, topic, from)
      const snapshot = this.hub.channelOf(topic)?.reduce === undefined || !this.givesState(topic, reason, from) ? undefined : await this.snapshotInEpoch(topic)
      due.delete(topic)
      if (reason !== undefined) {
        texts.push(this.reset(topic, reason))
        this.sent.set(topic, 0)
      }
      for (const entry of newest) texts.push(this.encoder.entry(entry))
      const last = newest.at(-1)
      if (last !== undefined) {
        floors.set(topic, last.offset)
        this.sent.set(topic, last.offset)
      }
      if (snapshot !== undefined) {
        const { depth } = this.viewOf(topic)
        texts.push(this.encoder.snapshot(depth === 0 ? snapshot : cutSnapshot(this.hub, topic, snapshot, depth)))
        floors.set(topic, snapshot.asOf)
        this.sent.set(topic, snapshot.asOf)
      } else if (reason !== undefined && !this.plan.joinsByState(topic)) {
        const position = this.plan.position[this.hub.log.shardOf(topic)]!
        // What the log still holds: the client has just forgotten what it had up to the position.
        const held = position === 0 ? [] : (await readHeld(this.hub.log, topic)).entries.filter(({ offset }) => offset <= position)
        for (const entry of held) texts.push(this.encoder.entry(entry))
        if (held.length > 0) this.sent.set(topic, held.at(-1)!.offset)
        floors.set(topic, await beforeFirstHeld(this.hub.log, topic, position))
      }
    }
    return texts
  }

  /** Whether a topic that is due is given its state here: not where `last` alone was asked for, nor before it joins. */
  private givesState (topic: string, reason: ResetReason | undefined, backlogFrom: number | undefined): boolean {
    if (this.plan.joinsByState(topic)) return false
    return reason !== undefined || backlogFrom === undefined || this.options.snapshots || this.selection.fresh(topic)
  }

  private reset (topic: string, reason: ResetReason): string {
    this.hub.counters.resets[reason]++
    return this.encoder.reset(topic, reason)
  }

  private joiningStates (states: ReadonlyMap<string, LiveState>): string[] {
    const texts: string[] = []
    for (const topic of this.plan.joining) {
      const state = states.get(topic)
      if (state === undefined) continue
      const { depth } = this.viewOf(topic)
      if (depth > 0 && state.snapshot !== undefined) this.hub.cutStates.begin(topic, state.snapshot.payload)
      if (this.options.snapshots || this.sent.has(topic) || this.plan.resumed || this.options.except(topic)) {
        texts.push(...stateMessages(this.hub, this.encoder, state, depth))
      }
    }
    return texts
  }

  private async snapshotInEpoch (topic: string): Promise<Snapshot | undefined> {
    const shard = this.hub.log.shardOf(topic)
    for (;;) {
      const advanced = this.hub.advanced()
      const snapshot = await this.hub.log.snapshot(topic)
      if (snapshot === undefined || snapshot.epoch === this.plan.epochs[shard]) return snapshot
      if (snapshot.epoch !== this.hub.epoch(shard)) await advanced
      await this.hub.epochChange
      this.followEpochs()
    }
  }

  /** What a shard has after the position, up to where the hub stands; moves the position. */
  private async read (shard: number, limit: number): Promise<Entry[]> {
    const { flushed, recent } = this.hub.shards[shard]!
    const position = this.plan.position[shard]!
    if (position >= flushed || this.plan.epochs[shard] !== this.hub.epoch(shard)) return []
    if (!recent.covers(position)) return await this.readLog(shard, flushed, limit)
    const entries: Entry[] = []
    let end = flushed
    let characters = 0
    recent.after(position, this.wants.bind(this), entry => {
      characters += entry.payload.length
      if (entries.push(entry) < limit && (characters < SLICE_CHARACTERS || this.merges)) return true
      end = entry.offset
      return false
    })
    this.plan.position[shard] = end
    return entries
  }

  private async readLog (shard: number, flushed: number, limit: number): Promise<Entry[]> {
    const epoch = this.plan.epochs[shard]
    const topics: TopicStart[] = []
    for (const [topic, last] of this.selection.existing(this.hub.directory)) {
      if (this.hub.log.shardOf(topic) !== shard || this.options.except(topic) || this.plan.joinsByState(topic)) continue
      const from = Math.max(this.plan.position[shard]!, this.plan.floors.get(topic) ?? 0)
      if (last.offset > from) topics.push({ topic, from })
    }
    // Asked for before the read: it is what tells of the epoch that the log is at.
    const advanced = this.hub.advanced()
    const page = await readMerged(this.hub.log, topics, epoch!, flushed, limit)
    if (this.hub.epoch(shard) !== epoch) return []
    if (page === undefined) {
      await advanced
      return []
    }
    for (const topic of page.trimmed) this.plan.due.set(topic, this.options.dropped)
    // The position only moves once those have their reset: it says where they go on.
    if (this.plan.due.size > 0) return []
    const entries = this.merges ? page.entries : oldestThatFit(page.entries, SLICE_CHARACTERS)
    this.plan.position[shard] = entries.length < page.entries.length ? entries.at(-1)!.offset : page.end
    return entries.filter(({ topic, offset }) => this.wants(topic, offset))
  }

  private wants (topic: string, offset: number): boolean {
    return this.selection.has(topic) && offset > (this.plan.floors.get(topic) ?? 0) && !this.options.except(topic) && !this.plan.joinsByState(topic)
  }

  /** Whether a throttled topic may be there once only: what is read of it is not cut into parts. */
  private get merges (): boolean {
    return this.options.reduced === 'merge' && this.selection.reduced
  }

  private emit (entries: readonly Entry[]): string[] {
    const texts: string[] = []
    const throttled = new Map<string, Entry[]>()
    for (const entry of entries) {
      const { topic } = entry
      if (entry.previous === 0 && entry.offset > (this.plan.lostTopics ?? Infinity) && !this.sent.has(topic)) {
        texts.push(this.reset(topic, 'epoch_changed'))
      }
      this.sent.set(topic, entry.offset)
      if (!this.merges || isWhole(this.selection.view(topic))) texts.push(this.encoder.entry(entry))
      else if (throttled.has(topic)) throttled.get(topic)!.push(entry)
      else throttled.set(topic, [entry])
    }
    for (const [topic, waiting] of throttled) texts.push(this.encoder.merged(mergeEntries(this.hub.channelOf(topic)!, waiting)))
    return texts
  }

  /** Of a topic that is cut, what came is told by its state: it is due now. @returns the others' messages */
  private withoutCut (entries: Entry[]): Entry[] {
    if (this.options.reduced === 'join' || !this.selection.reduced) return entries
    return entries.filter(({ topic }) => {
      const whole = this.selection.view(topic).depth === 0
      if (!whole && !this.plan.due.has(topic)) this.plan.due.set(topic, undefined)
      return whole
    })
  }

  // ---- what may come in between

  /** What is known of the topics of `plan.joining` lacks those that come up now. */
  private noteNewTopics (): void {
    if (this.plan.noteNewTopics()) this.liveStates = undefined
  }

  private canJoin (): boolean {
    if (this.plan.due.size > 0 || this.plan.movesUnseen || this.changed) return false
    if (!this.inHubsEpochs) return false
    for (const [topic, floor] of this.plan.floors) {
      if (floor > this.hub.shards[this.hub.log.shardOf(topic)]!.flushed) return false
    }
    return this.plan.position.every((offset, shard) => offset <= this.hub.shards[shard]!.flushed)
  }

  /** Brings the position into the hub's epochs: what was sent beyond the start of a new one is lost. */
  private followEpochs (): void {
    for (const [shard, { epochs }] of this.hub.shards.entries()) {
      const known = epochs.findLastIndex(({ epoch }) => epoch === this.plan.epochs[shard])
      if (known === epochs.length - 1) continue
      const start = Math.min(...epochs.slice(known + 1).map(epoch => epoch.start))
      const inShard = (topic: string): boolean => this.hub.log.shardOf(topic) === shard
      for (const [topic, offset] of this.sent) {
        if (!inShard(topic) || offset < start || !this.selection.has(topic) || this.options.except(topic)) continue
        this.plan.due.set(topic, 'epoch_changed')
        this.voids = true
      }
      for (const [topic, floor] of this.plan.floors) {
        if (inShard(topic) && floor >= start) this.plan.floors.set(topic, start - 1)
      }
      const origin = this.plan.origin[shard]
      if (origin !== undefined && origin >= start) {
        this.plan.resetShard(shard)
        this.voids = true
      } else this.plan.position[shard] = Math.min(this.plan.position[shard]!, start - 1)
      this.told[shard] = Math.min(this.told[shard]!, this.plan.position[shard]!)
      this.plan.epochs[shard] = this.hub.epoch(shard)
      this.liveStates = undefined
      this.changed = true
    }
  }
}

const NO_STATES: ReadonlyMap<string, LiveState> = new Map()
