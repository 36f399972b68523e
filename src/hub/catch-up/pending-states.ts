import { performance } from 'node:perf_hooks'
import type { ResetReason } from '@tickwire/protocol'
import type { Snapshot } from '../../log/log.js'
import type { Written } from '../format.js'
import type { CatchUpParts } from './catch-up-parts.js'
import { writeEach } from './write-each.js'
import { charactersOf, type RetainedPage, readRetained, readNewest, SLICE_CHARACTERS } from './retained.js'
import { readState, tellState } from '../shards/live-states.js'
import type { PendingState } from './pending.js'
import { MAX_READ } from './read-merged.js'

/** What has been read is sent after so long, whatever is still to come: a client takes one that is silent to be gone. */
const SLICE_MS = 250

/** States that are asked for at a time, at most: the log answers many in one round trip. */
const MAX_AHEAD = 128

/** A state that was read before its turn came, and the epoch of its shard that it was read for. */
interface Ahead {
  readonly epoch: number | undefined
  readonly snapshot: Snapshot | undefined
}

/** The part of a catch-up that gives topics what comes before their next messages: what `plan.pending` says. */
export class PendingStates {
  /** Characters that are left of `maxHeld`. */
  private retainedLeft: number
  /** For the slice that is being read. */
  private readonly ahead = new Map<string, Ahead>()
  /** How many states are asked for next: twice as many as the last time, as far as those that were read say that they fit a slice. */
  private aheadCount = 1

  constructor (private readonly catchUp: CatchUpParts) {
    this.retainedLeft = catchUp.options.maxRetained
  }

  /** As many as make a slice, as JSON texts; none where the hub had to be waited for. */
  async next (): Promise<Written[]> {
    try {
      return await this.read()
    } finally {
      // By the next slice it may be old.
      this.ahead.clear()
    }
  }

  private async read (): Promise<Written[]> {
    const { plan } = this.catchUp
    const texts: Written[] = []
    let [characters, counted] = [0, 0]
    const began = performance.now()
    for (;;) {
      for (; counted < texts.length; counted++) characters += texts[counted]!.length
      // One topic after another: a history is gone on with until it has been given.
      const [next] = plan.pending
      if (next === undefined || texts.length >= MAX_READ || characters > SLICE_CHARACTERS) return texts
      if (texts.length > 0 && performance.now() - began > SLICE_MS) return texts
      const given = await this.give(...next)
      if (given === undefined) return texts
      for (const text of given) texts.push(text)
    }
  }

  /** Undefined where the log is at another epoch, which had to be waited for. */
  private async give (topic: string, wanted: PendingState): Promise<Written[] | undefined> {
    const { hub, plan, writer, viewOf } = this.catchUp
    const behind = plan.takeBacklog(topic)
    const wantsState = this.givesState(topic, wanted.reason, behind)
    const snapshot = wantsState ? await this.snapshotInEpoch(topic) : undefined
    const { depth } = viewOf(topic)
    const state = snapshot === undefined ? undefined : tellState(hub, writer, snapshot, depth)
    if (wanted.voids === true && !plan.joinsByState(topic)) this.catchUp.voidCursors()
    // Of what a client may hold that resumes, nothing follows on where no state can be told.
    const reason = wanted.reason ?? (wantsState && state === undefined && plan.resumed ? 'history_lost' : undefined)
    if (wantsState && state === undefined && depth > 0) return this.waitForState(topic, reason)
    // The client has just forgotten what it had up to the position, and no state stands for it.
    if (reason !== undefined && state === undefined && !plan.joinsByState(topic)) return await this.giveRetained(topic, { ...wanted, reason })
    const newest = behind === undefined ? [] : await readNewest(hub.log, topic, { sequence: behind }, Infinity, SLICE_CHARACTERS)
    const texts = [...this.reset(topic, reason), ...writeEach(hub, writer, newest)]
    const upTo = (state === undefined ? undefined : snapshot?.asOf) ?? newest.at(-1)?.offset
    plan.markGiven(topic, upTo)
    if (state !== undefined) texts.push(state)
    return texts
  }

  /** A book of some depth whose state is not known waits for a message that replaces it. */
  private waitForState (topic: string, reason: ResetReason | undefined): Written[] {
    this.catchUp.plan.markWaiting(topic)
    return this.reset(topic, reason)
  }

  /** Whether a topic that is due is given its state here: not where `last` alone was asked for, nor before it joins. */
  private givesState (topic: string, reason: ResetReason | undefined, backlogFrom: number | undefined): boolean {
    const { hub, plan, options, selection } = this.catchUp
    if (hub.channelOf(topic)?.reduce === undefined || plan.joinsByState(topic)) return false
    return reason !== undefined || backlogFrom === undefined || options.snapshots || selection.fresh(topic)
  }

  private async snapshotInEpoch (topic: string): Promise<Snapshot | undefined> {
    const { hub, plan } = this.catchUp
    const shard = hub.log.shardOf(topic)
    for (;;) {
      const advanced = hub.advanced()
      const snapshot = await this.readWithNext(topic, shard)
      if (snapshot === undefined || snapshot.epoch === plan.epochs[shard]) return snapshot
      if (snapshot.epoch !== hub.epoch(shard)) await advanced
      await hub.epochChange
      this.catchUp.followEpochs()
    }
  }

  /** Of a topic that is due; with it, the states of those that are due next. */
  private async readWithNext (topic: string, shard: number): Promise<Snapshot | undefined> {
    const { hub, plan } = this.catchUp
    const known = this.ahead.get(topic)
    this.ahead.delete(topic)
    if (known !== undefined && known.epoch === plan.epochs[shard]) return known.snapshot
    const topics = this.dueWith(topic)
    const epochs = topics.map(other => plan.epochs[hub.log.shardOf(other)])
    const snapshots = await Promise.all(topics.map(other => readState(hub, other)))
    let characters = 0
    for (const [index, snapshot] of snapshots.entries()) {
      characters += snapshot?.payload.length ?? 0
      if (index > 0) this.ahead.set(topics[index]!, { epoch: epochs[index], snapshot })
    }
    const fitting = Math.floor(SLICE_CHARACTERS * topics.length / Math.max(1, characters))
    this.aheadCount = Math.max(1, Math.min(2 * this.aheadCount, fitting, MAX_AHEAD))
    return snapshots[0]
  }

  /** A topic, and those behind it that are due a state and not read yet. */
  private dueWith (topic: string): string[] {
    const { pending, backlog } = this.catchUp.plan
    const topics = [topic]
    for (const [other, { reason }] of pending) {
      if (topics.length >= this.aheadCount) break
      if (other !== topic && !this.ahead.has(other) && this.givesState(other, reason, backlog.get(other))) topics.push(other)
    }
    return topics
  }

  /** A part of what the log still holds of a topic up to the position; the first behind the reset. */
  private async giveRetained (topic: string, { reason, givenUpTo }: PendingState): Promise<Written[] | undefined> {
    const { hub, plan, options, writer } = this.catchUp
    const shard = hub.log.shardOf(topic)
    const advanced = hub.advanced()
    const { epoch, entries, followsOn, moreBehind, end } = await this.readPart(topic, givenUpTo ?? 0, plan.position[shard]!)
    if (epoch !== plan.epochs[shard]) {
      if (epoch !== hub.epoch(shard)) await advanced
      return undefined
    }
    const again = givenUpTo !== undefined && !followsOn
    const texts = [...this.reset(topic, givenUpTo === undefined ? reason : again ? options.dropped : undefined), ...writeEach(hub, writer, entries)]
    const last = entries.at(-1)
    if (last !== undefined) plan.markSent(topic, last.offset)
    if (moreBehind === undefined) plan.markHistoryGiven(topic, end)
    else plan.markPartGiven(topic, reason, moreBehind)
    return texts
  }

  /** The oldest that fit a slice; or, where they may not take all that they come to, the newest that may be given. */
  private async readPart (topic: string, behind: number, upTo: number): Promise<RetainedPage> {
    const { hub: { log } } = this.catchUp
    if (this.retainedLeft === Infinity) return await readRetained(log, topic, behind, upTo)
    const entries = await readNewest(log, topic, { offset: 0 }, upTo, this.retainedLeft)
    this.retainedLeft = Math.max(0, this.retainedLeft - charactersOf(entries))
    const { epoch, end } = await readRetained(log, topic, upTo, upTo)
    return { epoch, entries, followsOn: true, end }
  }

  private reset (topic: string, reason: ResetReason | undefined): Written[] {
    if (reason === undefined) return []
    const { hub, plan, writer } = this.catchUp
    hub.counters.resets[reason]++
    plan.markReset(topic)
    return [writer.reset(topic, reason)]
  }
}
