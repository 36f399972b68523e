import { encodeEpoch, type ThrottledChannels } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../../log/log.js'
import { type Bookmark, coveredBy, setsNow } from './bookmark.js'
import type { CatchUpParts } from './catch-up-parts.js'
import { CountingWriter } from './counting-writer.js'
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

/** What the client is to be sent next, in this order, as written messages. */
export interface Slice {
  /**
   * Whether it begins resets that a client would miss if it resumed at an older cursor: such cursors must not
   * be good any more.
   */
  readonly voids: boolean
  /**
   * Resets with snapshots, or with retained messages of topics without a state; and the newest messages that
   * `last` asked for.
   */
  readonly states: readonly Written[]
  /** The epochs of all shards, if the log began a new one since the last slice. */
  readonly newEpoch: string | undefined
  readonly messages: readonly Written[]
}

export interface CatchUpOptions extends Partial<PlanOptions> {
  readonly snapshots: boolean
  readonly writer: MessageWriter
  /** Returns the view of a topic once it is live; absent if that is the view of the selection. */
  readonly viewOf?: (topic: string) => View
}

/**
 * The one mechanism for every client that stands at a position and needs the messages after it (ADR 1): a
 * client that resumes, polls or lags, and a new subscriber, which stands at the present and needs the state
 * first. It reads slices from the log up to where the hub stands, and joins live delivery in one tick, from
 * the hub's recent entries. No live messages are buffered for it.
 */
export class CatchUp {
  private readonly pendingStates: PendingStates
  private readonly reader: SliceReader
  private epochPending: boolean
  private voids = false
  /**
   * What {@link join} had written when a topic failed: the next slice sends it, before that topic's reset.
   */
  private left: readonly Written[] = []
  /** The position after the slices so far: messages that are being read have not been sent yet. */
  private sentUpTo: number[]
  /** The states of the topics of `plan.joining`, if they have been read. */
  private liveStates: LiveStates | undefined

  private constructor (
    private readonly hub: Hub,
    private readonly selection: Selection,
    private readonly plan: Plan,
    private readonly newTopics: NewTopics,
    private readonly writer: CountingWriter,
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
   * Opens a catch-up. Its shards are followed until it is closed.
   * @param selection the topics that the client wants
   * @throws ProtocolError `log_unavailable`
   */
  static async open (
    hub: Hub, selection: Selection, start: StartPosition, options: CatchUpOptions
  ): Promise<CatchUp> {
    const { writer, viewOf = topic => selection.view(topic), ...given } = options
    const planned: PlanOptions = {
      except: () => false,
      reduced: 'join',
      maxBacklog: Infinity,
      maxRetained: Infinity,
      dropped: 'history_lost',
      ...given
    }
    const shards = selection.shards(hub.log)
    await hub.interest.follow(shards)
    try {
      await hub.epochChange
      const plan = new Plan(hub, selection, planned, start.from !== 'now')
      const newTopics = new NewTopics(plan, hub, selection, planned)
      await new Start(plan, hub, selection, planned).at(start)
      const epochPending = start.from === 'bookmark' && start.bookmark.epochPending
      const counting = new CountingWriter(writer, hub.counters)
      return new CatchUp(hub, selection, plan, newTopics, counting, planned, viewOf, epochPending)
    } catch (error) {
      hub.interest.release(shards)
      throw error
    }
  }

  /** Ends it. A caller that still needs its shards must have retained them. */
  close (): void {
    this.hub.interest.release(this.plan.shards)
  }

  /** Returns by reason how many resets were written since the last call. */
  takeResets (): ReturnType<CountingWriter['takeResets']> {
    return this.writer.takeResets()
  }

  /** Whether it began at a position that the client gave. */
  get resumes (): boolean {
    return this.plan.resumed
  }

  /** Whether every topic follows on from the position that the client gave, as far as is known now. */
  get recovered (): boolean {
    return this.plan.recovered
  }

  /** The epochs of its position. */
  get epochText (): string {
    return encodeEpoch(this.plan.epochs)
  }

  /** See `CursorMarks.lostTopics` of the protocol package. */
  get lostTopics (): number | undefined {
    return this.plan.lostTopics
  }

  /**
   * Returns by shard the offset up to which the slices so far have sent everything. Returns undefined while
   * the hub is in another epoch or on the way to one, while resets or states are pending, and while it
   * {@link isBehind}: no position can express that.
   */
  offsets (): ReadonlyMap<number, number> | undefined {
    if (this.hasPendingStates || this.newTopics.movesUnseen || !this.isInHubsEpochs) return undefined
    if (this.isBehind) return undefined
    return new Map(this.plan.shards.map(shard => [shard, this.sentUpTo[shard]!]))
  }

  /** Whether a topic of an acknowledged channel still gets messages from before the start of other topics. */
  get isBehind (): boolean {
    return this.plan.behind(this.sentUpTo).length > 0
  }

  /** Whether no topic was sent beyond {@link offsets}, or begins there. */
  get isEven (): boolean {
    return this.beyond().size === 0
  }

  private beyond (): Map<string, number> {
    const isBeyond = ([topic, offset]: [string, number]): boolean =>
      offset > this.sentUpTo[this.hub.log.shardOf(topic)]!
    return new Map([...this.plan.floors].filter(isBeyond))
  }

  private get isInHubsEpochs (): boolean {
    if (this.hub.epochChange !== undefined) return false
    return this.plan.epochs.every((epoch, shard) => epoch === this.hub.epoch(shard))
  }

  /**
   * Makes a bookmark between two slices: another catch-up goes on from there.
   * @param reduced the channels in which the client has throttled or cut topics
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
    if (!this.canJoin()) return false
    return this.plan.shards.every(shard => this.plan.position[shard] === this.hub.shards[shard]!.flushed)
  }

  /** Whether resets or states are pending. */
  get hasPendingStates (): boolean {
    return this.plan.pending.size > 0
  }

  /**
   * Writes all that is left, from the hub's recent entries. A caller that sends it and attaches in the same
   * tick misses no message and sends none twice. Returns undefined if more than `limit` messages or more than
   * a slice are left, or if it would have to wait.
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
      recent.after(this.plan.position[shard]!, this.reader.wants, entry => {
        characters += entry.payload.length
        return entries.push(entry) <= limit && characters <= SLICE_CHARACTERS
      })
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

  /**
   * Reads the states that {@link join} needs, once the client is caught up.
   * @throws ProtocolError `log_unavailable`
   */
  async prepareToJoin (): Promise<void> {
    this.noteNewTopics()
    const { joining } = this.plan
    if (joining.size === 0 || !this.caughtUp) return
    if (this.liveStates?.now() === undefined) this.liveStates = await LiveStates.read(this.hub, joining)
  }

  /**
   * Reads the next slice: at most `limit` messages of the log, and about {@link SLICE_CHARACTERS}. It is
   * empty if it had to wait for the hub.
   * @throws ProtocolError `log_unavailable`
   */
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
    const isEmpty = states.length === 0 && messages.length === 0 && newEpoch === undefined
    const mustWait = isEmpty && !this.hasPendingStates && !this.newTopics.movesUnseen && !this.canJoin()
    if (mustWait) await this.hub.advanced()
    this.sentUpTo = [...this.plan.position]
    const { voids } = this
    this.voids = false
    // If a topic fails here, the next slice resets it.
    return { voids, states, newEpoch, messages: this.reader.emit(messages) }
  }

  private joiningStates (states: ReadonlyMap<string, Snapshot>): Written[] {
    const texts: Written[] = []
    for (const topic of this.plan.joining) {
      const state = states.get(topic)
      const { depth } = this.viewOf(topic)
      const mayHaveIt = this.plan.sent.has(topic) || this.plan.resumed || this.options.except(topic)
      const text = state === undefined ? undefined : tellState(this.hub, this.writer, state, depth)
      if (state === undefined || text === undefined) {
        if (depth > 0) this.waitForState(topic)
        if (!mayHaveIt || this.plan.sent.get(topic) === 0) continue
        this.hub.counters.resets.history_lost++
        texts.push(this.writer.reset(topic, 'history_lost'))
        continue
      }
      if (depth > 0) this.hub.cutStates.begin(topic, state.payload)
      if (this.options.snapshots || mayHaveIt) texts.push(text)
    }
    return texts
  }

  /**
   * Lets a book that is cut to a depth, and whose state is not known here, wait for a message that replaces
   * it. The client must not be sent changes of the state that other clients have, so these wait, too.
   */
  private waitForState (topic: string): void {
    if (this.hub.cutStates.has(topic)) this.hub.loseReduced(topic)
  }

  // ---- what may happen meanwhile

  /**
   * Notes topics that have come up. The states that were read for joining lack these: they are read again.
   */
  private noteNewTopics (): void {
    if (this.newTopics.look()) this.liveStates = undefined
  }

  private canJoin (): boolean {
    if (this.plan.pending.size > 0 || this.newTopics.movesUnseen || this.epochPending) return false
    if (!this.isInHubsEpochs || this.plan.behind(this.plan.position).length > 0) return false
    for (const [topic, floor] of this.plan.floors) {
      if (floor > this.hub.shards[this.hub.log.shardOf(topic)]!.flushed) return false
    }
    return this.plan.shards.every(shard => this.plan.position[shard]! <= this.hub.shards[shard]!.flushed)
  }

  /**
   * Brings the position into the hub's epochs: what was sent from the start of a new epoch on is lost. For
   * shards outside the selection only the epochs change.
   */
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
