import { performance } from 'node:perf_hooks'
import type { ResetReason } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../../log/log.js'
import type { Written } from '../format.js'
import { ReadAhead } from '../read-ahead.js'
import type { CatchUpParts } from './catch-up-parts.js'
import { writeEach } from './write-each.js'
import {
  charactersOf, newestThatFit, type RetainedPage, readRetained, readNewest,
  HISTORIES_AT_A_TIME, SLICE_CHARACTERS
} from './retained.js'
import { readState, tellState } from '../shards/live-states.js'
import type { PendingState } from './pending.js'
import { MAX_READ } from './read-merged.js'

/** A slice is sent once reading it has taken so long: a client closes a connection that is silent. */
const SLICE_MS = 250

/** The part of a catch-up that reads and writes what `plan.pending` says: resets, states and histories. */
export class PendingStates {
  /** How many characters are left of `maxRetained`. */
  private retainedLeft: number
  /** States that were read for the slice under way. */
  private readonly states: ReadAhead<Snapshot | undefined>
  /** First parts of histories that were read for it. */
  private readonly histories: ReadAhead<RetainedPage>

  constructor (private readonly catchUp: CatchUpParts) {
    const { hub, plan, options } = catchUp
    this.retainedLeft = options.maxRetained
    const epochOf = (topic: string): number | undefined => plan.epochs[hub.log.shardOf(topic)]
    this.states = new ReadAhead({
      epochOf,
      read: topic => readState(hub, topic),
      charactersOf: snapshot => snapshot?.payload.length ?? 0,
      atATime: SLICE_CHARACTERS
    })
    this.histories = new ReadAhead({
      epochOf,
      read: topic => this.readPart(topic, 0),
      charactersOf: ({ entries }) => charactersOf(entries),
      atATime: SLICE_CHARACTERS,
      // A lost cursor begins at 0: nothing is retained before that, and each answer is small.
      most: () => plan.shards.every(shard => plan.position[shard] === 0) ? Infinity : HISTORIES_AT_A_TIME
    })
  }

  /**
   * Reads as many as fit one slice, as written messages; none if it had to wait for the hub.
   * @throws ProtocolError `log_unavailable`
   */
  async next (): Promise<Written[]> {
    try {
      return await this.read()
    } finally {
      // By the next slice they may be outdated.
      this.states.clear()
      this.histories.clear()
    }
  }

  private async read (): Promise<Written[]> {
    const { plan } = this.catchUp
    const texts: Written[] = []
    let [characters, counted] = [0, 0]
    const began = performance.now()
    for (;;) {
      for (; counted < texts.length; counted++) characters += texts[counted]!.length
      // One topic after another: a history comes in parts, until its topic is no longer pending.
      const [next] = plan.pending
      if (next === undefined || texts.length >= MAX_READ || characters > SLICE_CHARACTERS) return texts
      if (texts.length > 0 && performance.now() - began > SLICE_MS) return texts
      const written = await this.write(...next)
      if (written === undefined) return texts
      for (const text of written) texts.push(text)
    }
  }

  /** Writes what is pending of a topic. Returns undefined if the log is in another epoch than the plan. */
  private async write (topic: string, wanted: PendingState): Promise<Written[] | undefined> {
    const { hub, plan, writer, viewOf } = this.catchUp
    const behind = plan.takeBacklog(topic)
    const needsState = this.needsState(topic, wanted.reason, behind)
    const found = needsState ? this.stateOf(topic) : undefined
    const snapshot = found instanceof Promise ? await found : found
    // A new epoch that began meanwhile may want a reset.
    const pending = plan.pending.get(topic) ?? wanted
    const { depth } = viewOf(topic)
    const state = snapshot === undefined ? undefined : tellState(hub, writer, snapshot, depth)
    if (pending.voids === true && !plan.joinsByState(topic)) this.catchUp.voidCursors()
    const lacksState = needsState && state === undefined
    // A client that resumes may have messages of the topic. Without a state, nothing follows on from them.
    const reason = pending.reason ?? (lacksState && plan.resumed ? 'history_lost' : undefined)
    if (lacksState && depth > 0) return this.waitForState(topic, reason)
    // The reset drops what the client has of the topic, and no state replaces it: the retained messages do.
    if (reason !== undefined && state === undefined && !plan.joinsByState(topic)) {
      return await this.writeRetained(topic, { ...pending, reason })
    }
    const newest = behind === undefined
      ? []
      : await readNewest(hub.log, topic, { sequence: behind }, Infinity, SLICE_CHARACTERS)
    const texts = [...this.reset(topic, reason), ...writeEach(hub, writer, newest)]
    const upTo = (state === undefined ? undefined : snapshot?.asOf) ?? newest.at(-1)?.offset
    plan.markGiven(topic, upTo)
    if (state !== undefined) texts.push(state)
    return texts
  }

  /**
   * Lets a book that is cut to a depth, and whose state is not known, wait for a message that replaces it.
   */
  private waitForState (topic: string, reason: ResetReason | undefined): Written[] {
    this.catchUp.plan.markWaiting(topic)
    return this.reset(topic, reason)
  }

  /**
   * Whether a pending topic gets its state here: not if the client wants only `last`, and not if its state
   * comes in the tick of joining.
   */
  private needsState (
    topic: string, reason: ResetReason | undefined, backlogFrom: number | undefined
  ): boolean {
    const { hub, plan, options, selection } = this.catchUp
    if (hub.channelOf(topic)?.reduce === undefined || plan.joinsByState(topic)) return false
    return reason !== undefined || backlogFrom === undefined || options.snapshots || selection.fresh(topic)
  }

  /** Returns a topic's state; a promise if it must be read. */
  private stateOf (topic: string): Snapshot | undefined | Promise<Snapshot | undefined> {
    const { hub, plan } = this.catchUp
    const state = this.states.take(topic, this.needingState())
    const isKnown = !(state instanceof Promise)
    const isGood = isKnown && (state === undefined || state.epoch === plan.epochs[hub.log.shardOf(topic)])
    return isGood ? state : this.readInEpoch(topic, state)
  }

  /** Reads a topic's state in the epoch of the plan, which follows the hub to the log's epoch if it must. */
  private async readInEpoch (
    topic: string, first: Snapshot | undefined | Promise<Snapshot | undefined>
  ): Promise<Snapshot | undefined> {
    const { hub, plan } = this.catchUp
    const shard = hub.log.shardOf(topic)
    for (let reading = first; ; reading = this.states.take(topic, this.needingState())) {
      const advanced = hub.advanced()
      const snapshot = await reading
      if (snapshot === undefined || snapshot.epoch === plan.epochs[shard]) return snapshot
      if (snapshot.epoch !== hub.epoch(shard)) await advanced
      await hub.epochChange
      this.catchUp.followEpochs()
    }
  }

  /** The pending topics that need a state. */
  private * needingState (): Iterable<string> {
    const { pending, backlog } = this.catchUp.plan
    for (const [topic, { reason }] of pending) {
      if (this.needsState(topic, reason, backlog.get(topic))) yield topic
    }
  }

  /** The pending topics whose retained messages follow on a reset. */
  private * needingHistory (): Iterable<string> {
    const { hub, plan } = this.catchUp
    for (const [topic, { reason, givenUpTo }] of plan.pending) {
      if (reason === undefined || givenUpTo !== undefined || plan.joinsByState(topic)) continue
      if (hub.channelOf(topic)?.reduce === undefined) yield topic
    }
  }

  /**
   * Writes a part of a topic's retained messages up to the position, the first part after the reset. Returns
   * undefined if the log is in another epoch than the plan.
   */
  private async writeRetained (topic: string, pending: PendingState): Promise<Written[] | undefined> {
    const { reason, givenUpTo } = pending
    const { hub, plan, options, writer } = this.catchUp
    const shard = hub.log.shardOf(topic)
    const advanced = hub.advanced()
    const part = givenUpTo === undefined
      ? await this.histories.take(topic, this.needingHistory())
      : await this.readPart(topic, givenUpTo)
    const { epoch, followsOn, moreBehind, end } = part
    const entries = this.withinBound(part.entries)
    if (epoch !== plan.epochs[shard]) {
      if (epoch !== hub.epoch(shard)) await advanced
      return undefined
    }
    const isFirst = givenUpTo === undefined
    // The log may have dropped messages between two parts: then the topic is reset once more.
    const resetReason = isFirst ? reason : followsOn ? undefined : options.dropped
    const texts = [...this.reset(topic, resetReason), ...writeEach(hub, writer, entries)]
    const last = entries.at(-1)
    if (last !== undefined) plan.markSent(topic, last.offset)
    if (moreBehind === undefined) plan.markHistoryGiven(topic, end)
    else plan.markPartGiven(topic, reason, moreBehind)
    return texts
  }

  /**
   * Reads the oldest retained messages behind an offset that fit a slice; or, if their size is bounded by
   * `maxRetained`, the newest that fit.
   */
  private async readPart (topic: string, behind: number): Promise<RetainedPage> {
    const { hub: { log }, plan } = this.catchUp
    const upTo = plan.position[log.shardOf(topic)]!
    if (this.retainedLeft === Infinity || upTo <= behind) return await readRetained(log, topic, behind, upTo)
    const entries = await readNewest(log, topic, { offset: 0 }, upTo, this.retainedLeft)
    const { epoch, end } = await readRetained(log, topic, upTo, upTo)
    return { epoch, entries, followsOn: true, end }
  }

  /** Returns those that fit what is left of `maxRetained`, and takes them from it. */
  private withinBound (entries: readonly Entry[]): readonly Entry[] {
    if (this.retainedLeft === Infinity) return entries
    const fitting = newestThatFit(entries, this.retainedLeft)
    this.retainedLeft = Math.max(0, this.retainedLeft - charactersOf(fitting))
    return fitting
  }

  private reset (topic: string, reason: ResetReason | undefined): Written[] {
    if (reason === undefined) return []
    const { hub, plan, writer } = this.catchUp
    hub.counters.resets[reason]++
    plan.markReset(topic)
    return [writer.reset(topic, reason)]
  }
}
