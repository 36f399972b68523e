import { encodeEpoch, type ThrottledChannels } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../../log/log.js'
import { type Bookmark, coveredBy, setsNow } from './bookmark.js'
import type { CatchUpParts } from './catch-up-parts.js'
import type { MessageWriter, Written } from '../format.js'
import { SLICE_CHARACTERS } from './retained.js'
import type { Hub } from '../hub.js'
import { LiveStates, tellState } from '../shards/live-states.js'
import { PendingStates } from './pending-states.js'
import { NewTopics } from './new-topics.js'
import { Plan, type PlanOptions } from './plan.js'
import { Start, type StartPosition } from './start.js'
import type { Selection } from '../audience/selector.js'
import { SliceReader } from './slice-reader.js'
import type { View } from '../conflation/view.js'

/**
 * The one mechanism for everybody who stands at a position and needs what came after (ADR 1): a
 * client that resumes, a client that polls, one that reads too slowly, and a new subscriber, who stands at the present
 * and needs the state first. It reads slices from the log up to where the hub stands, and joins live delivery in one tick, from the
 * hub's recent entries. Nothing live is buffered for it.
 */

/** What is to be sent next, in this order, as it was written. */
export interface Slice {
  /** Whether it begins the resets of a new epoch: no cursor from before may be gone on from. */
  readonly voids: boolean
  /** Resets, with what the log still holds of topics without a state, snapshots, and what `last` asked for. */
  readonly states: readonly Written[]
  /** The epochs, where the log began a new one since the slice before. */
  readonly newEpoch: string | undefined
  readonly messages: readonly Written[]
}

export interface CatchUpOptions extends Partial<PlanOptions> {
  readonly snapshots: boolean
  /** Writes what is sent. */
  readonly writer: MessageWriter
  /** How a topic is wanted once it is live, where that is not what the selection says. */
  readonly viewOf?: (topic: string) => View
}

export class CatchUp {
  private readonly pendingStates: PendingStates
  private readonly reader: SliceReader
  private epochPending: boolean
  private voids = false
  /** What {@link join} had taken when a topic failed: it comes before that topic's reset. */
  private left: readonly Written[] = []
  /** The position behind all that the slices so far have said: what is being read is not sent yet. */
  private sentUpTo: number[]
  /** What is known of the topics of `plan.joining`. */
  private liveStates: LiveStates | undefined

  private constructor (
    private readonly hub: Hub,
    private readonly selection: Selection,
    private readonly plan: Plan,
    private readonly newTopics: NewTopics,
    private readonly writer: MessageWriter,
    private readonly options: PlanOptions,
    private readonly viewOf: (topic: string) => View,
    epochPending: boolean
  ) {
    const parts: CatchUpParts = {
      hub,
      selection,
      plan,
      writer,
      options,
      viewOf,
      followEpochs: () => { this.followEpochs() },
      voidCursors: () => { this.voids = true }
    }
    this.pendingStates = new PendingStates(parts)
    this.reader = new SliceReader(parts)
    this.sentUpTo = [...plan.position]
    this.epochPending = epochPending
  }

  /**
   * Its shards are followed until it is closed.
   * @param selection what is wanted
   * @throws ProtocolError `log_unavailable`
   */
  static async open (hub: Hub, selection: Selection, start: StartPosition, options: CatchUpOptions): Promise<CatchUp> {
    const { writer, viewOf = topic => selection.view(topic), ...given } = options
    const planned: PlanOptions = { except: () => false, reduced: 'join', maxBacklog: Infinity, maxRetained: Infinity, dropped: 'history_lost', ...given }
    const shards = selection.shards(hub.log)
    await hub.interest.follow(shards)
    try {
      await hub.epochChange
      const plan = new Plan(hub, selection, planned, start.from !== 'now')
      const newTopics = new NewTopics(plan, hub, selection, planned)
      await new Start(plan, hub, selection, planned).at(start)
      const epochPending = start.from === 'bookmark' && start.bookmark.epochPending
      return new CatchUp(hub, selection, plan, newTopics, writer, planned, viewOf, epochPending)
    } catch (error) {
      hub.interest.release(shards)
      throw error
    }
  }

  /** It is over: whoever goes on with its shards must hold them. */
  close (): void {
    this.hub.interest.release(this.plan.shards)
  }

  /** Whether it began at a position of the client. */
  get resumes (): boolean {
    return this.plan.resumed
  }

  /** Whether every topic follows on from the position that the client gave, as far as is known now. */
  get recovered (): boolean {
    return this.plan.recovered
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
   * By shard, up to where all has been said by the slices so far; undefined while the hub is or goes to another epoch, and while resets
   * or states are owed that no position would tell of.
   */
  offsets (): ReadonlyMap<number, number> | undefined {
    if (this.hasPendingStates || this.newTopics.movesUnseen || !this.inHubsEpochs) return undefined
    return new Map(this.plan.shards.map(shard => [shard, this.sentUpTo[shard]!]))
  }

  /** Whether no topic was sent, or begins, beyond {@link offsets}. */
  get isEven (): boolean {
    return this.beyond().size === 0
  }

  private beyond (): Map<string, number> {
    return new Map([...this.plan.floors].filter(([topic, offset]) => offset > this.sentUpTo[this.hub.log.shardOf(topic)]!))
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
    const { epochs, position, pending, lostTopics } = this.plan
    const floors = this.beyond()
    const offsets = floors.size > 0 ? undefined : this.offsets()
    return {
      epochs: [...epochs],
      position: [...position],
      covered: offsets === undefined ? undefined : coveredBy(this.hub, offsets),
      floors,
      pending: new Map(pending),
      epochPending: this.epochPending,
      lostTopics,
      sets: setsNow(this.hub, reduced)
    }
  }

  /** Whether nothing is left to send now: another slice would have to wait for the hub. */
  get caughtUp (): boolean {
    return this.canJoin() && this.plan.shards.every(shard => this.plan.position[shard] === this.hub.shards[shard]!.flushed)
  }

  /** Whether states are still to be sent. */
  get hasPendingStates (): boolean {
    return this.plan.pending.size > 0
  }

  /**
   * All that is left, from the hub's recent entries: whoever sends it and attaches in the same tick has missed
   * nothing and sends nothing twice. Undefined where more than `limit` is left, or something must be waited for.
   */
  join (limit: number): readonly Written[] | undefined {
    this.noteNewTopics()
    if (!this.canJoin()) return undefined
    const states = this.plan.joining.size === 0 ? NO_STATES : this.liveStates?.now()
    if (states === undefined) return undefined
    const entries: Entry[] = []
    let characters = 0
    for (const shard of this.plan.shards) {
      const { recent } = this.hub.shards[shard]!
      if (!recent.covers(this.plan.position[shard]!)) return undefined
      recent.after(this.plan.position[shard]!, this.reader.wants, entry => entries.push(entry) <= limit && (characters += entry.payload.length) <= SLICE_CHARACTERS)
      if (entries.length > limit || characters > SLICE_CHARACTERS) return undefined
    }
    this.plan.advanceToHub()
    const texts = this.reader.emit(entries)
    if (this.hasPendingStates) {
      this.left = texts
      return undefined
    }
    this.sentUpTo = [...this.plan.position]
    return [...texts, ...this.joiningStates(states)]
  }

  /** Reads what {@link join} will need, once the rest has been sent. */
  async prepareToJoin (): Promise<void> {
    this.noteNewTopics()
    const { joining } = this.plan
    if (joining.size === 0 || !this.caughtUp) return
    if (this.liveStates?.now() === undefined) this.liveStates = await LiveStates.read(this.hub, joining)
  }

  /** The next slice: at most `limit` messages of the log, and about {@link SLICE_CHARACTERS}. It is empty where the hub had to be waited for. */
  async next (limit: number): Promise<Slice> {
    await this.hub.turns.take(this.plan)
    await this.hub.epochChange
    if (this.left.length > 0) {
      const messages = this.left
      this.left = []
      return { voids: false, states: [], newEpoch: undefined, messages }
    }
    this.followEpochs()
    this.noteNewTopics()
    const states = await this.pendingStates.next()
    const messages = await this.reader.next(limit)
    // PROTOCOL.md, Control: after the resets that it causes.
    const newEpoch = this.epochPending && !this.hasPendingStates ? this.epochText : undefined
    if (newEpoch !== undefined) this.epochPending = false
    const nothing = states.length === 0 && messages.length === 0 && newEpoch === undefined
    if (nothing && !this.hasPendingStates && !this.newTopics.movesUnseen && !this.canJoin()) await this.hub.advanced()
    this.sentUpTo = [...this.plan.position]
    const { voids } = this
    this.voids = false
    // A topic that fails here is reset by the slice behind this one.
    return { voids, states, newEpoch, messages: this.reader.emit(messages) }
  }

  private joiningStates (states: ReadonlyMap<string, Snapshot>): Written[] {
    const texts: Written[] = []
    for (const topic of this.plan.joining) {
      const state = states.get(topic)
      const { depth } = this.viewOf(topic)
      const holds = this.plan.sent.has(topic) || this.plan.resumed || this.options.except(topic)
      const text = state === undefined ? undefined : tellState(this.hub, this.writer, state, depth)
      if (state === undefined || text === undefined) {
        if (depth > 0) this.waitForState(topic)
        if (!holds || this.plan.sent.get(topic) === 0) continue
        this.hub.counters.resets.history_lost++
        texts.push(this.writer.reset(topic, 'history_lost'))
        continue
      }
      if (depth > 0) this.hub.cutStates.begin(topic, state.payload)
      if (this.options.snapshots || holds) texts.push(text)
    }
    return texts
  }

  /**
   * A client whose book of some depth has no state here must not be sent what changes those that the others hold: they all wait for
   * the next message that replaces it.
   */
  private waitForState (topic: string): void {
    if (this.hub.cutStates.has(topic)) this.hub.loseReduced(topic)
  }

  // ---- what may come in between

  /** What is known of the topics of `plan.joining` lacks those that come up now. */
  private noteNewTopics (): void {
    if (this.newTopics.look()) this.liveStates = undefined
  }

  private canJoin (): boolean {
    if (this.plan.pending.size > 0 || this.newTopics.movesUnseen || this.epochPending) return false
    if (!this.inHubsEpochs) return false
    for (const [topic, floor] of this.plan.floors) {
      if (floor > this.hub.shards[this.hub.log.shardOf(topic)]!.flushed) return false
    }
    return this.plan.shards.every(shard => this.plan.position[shard]! <= this.hub.shards[shard]!.flushed)
  }

  /** Brings the position into the hub's epochs: what was sent beyond the start of a new one is lost. Of other shards the epochs are told alone. */
  private followEpochs (): void {
    for (const [shard, { epochs }] of this.hub.shards.entries()) {
      const known = epochs.findLastIndex(({ epoch }) => epoch === this.plan.epochs[shard])
      if (known === epochs.length - 1) continue
      const start = Math.min(...epochs.slice(known + 1).map(epoch => epoch.start))
      if (this.plan.enterEpoch(shard, this.hub.epoch(shard), start)) this.voids = true
      this.epochPending = true
      this.sentUpTo[shard] = Math.min(this.sentUpTo[shard]!, this.plan.position[shard]!)
      this.liveStates = undefined
    }
  }
}

const NO_STATES: ReadonlyMap<string, Snapshot> = new Map()
