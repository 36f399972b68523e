import type { ResetReason } from '@tickwire/protocol'
import type { Snapshot } from '../log/log.js'
import type { CatchUpParts } from './catch-up-parts.js'
import { beforeFirstHeld, readBacklog, readHeld, SLICE_CHARACTERS } from './held.js'
import { cutSnapshot } from './live-states.js'
import { MAX_READ } from './read-merged.js'

/** The part of a catch-up that gives topics their states: what `plan.due` says. */
export class OwedStates {
  constructor (private readonly catchUp: CatchUpParts) {}

  /** As many as make a slice, as JSON texts. */
  async next (): Promise<string[]> {
    const { hub, plan, encoder, viewOf } = this.catchUp
    const texts: string[] = []
    const { due, floors, backlog, sent } = plan
    let [characters, counted] = [0, 0]
    for (const [topic, reason] of due) {
      for (; counted < texts.length; counted++) characters += texts[counted]!.length
      if (texts.length >= MAX_READ || characters > SLICE_CHARACTERS) break
      const from = backlog.get(topic)
      backlog.delete(topic)
      const newest = from === undefined ? [] : await readBacklog(hub.log, topic, from)
      const snapshot = hub.channelOf(topic)?.reduce === undefined || !this.givesState(topic, reason, from) ? undefined : await this.snapshotInEpoch(topic)
      due.delete(topic)
      if (reason !== undefined) {
        hub.counters.resets[reason]++
        texts.push(encoder.reset(topic, reason))
        sent.set(topic, 0)
      }
      for (const entry of newest) texts.push(encoder.entry(entry))
      const last = newest.at(-1)
      if (last !== undefined) {
        floors.set(topic, last.offset)
        sent.set(topic, last.offset)
      }
      if (snapshot !== undefined) {
        const { depth } = viewOf(topic)
        texts.push(encoder.snapshot(depth === 0 ? snapshot : cutSnapshot(hub, topic, snapshot, depth)))
        floors.set(topic, snapshot.asOf)
        sent.set(topic, snapshot.asOf)
      } else if (reason !== undefined && !plan.joinsByState(topic)) {
        const position = plan.position[hub.log.shardOf(topic)]!
        // What the log still holds: the client has just forgotten what it had up to the position.
        const held = position === 0 ? [] : (await readHeld(hub.log, topic)).entries.filter(({ offset }) => offset <= position)
        for (const entry of held) texts.push(encoder.entry(entry))
        if (held.length > 0) sent.set(topic, held.at(-1)!.offset)
        floors.set(topic, await beforeFirstHeld(hub.log, topic, position))
      }
    }
    return texts
  }

  /** Whether a topic that is due is given its state here: not where `last` alone was asked for, nor before it joins. */
  private givesState (topic: string, reason: ResetReason | undefined, backlogFrom: number | undefined): boolean {
    const { plan, options, selection } = this.catchUp
    if (plan.joinsByState(topic)) return false
    return reason !== undefined || backlogFrom === undefined || options.snapshots || selection.fresh(topic)
  }

  private async snapshotInEpoch (topic: string): Promise<Snapshot | undefined> {
    const { hub, plan } = this.catchUp
    const shard = hub.log.shardOf(topic)
    for (;;) {
      const advanced = hub.advanced()
      const snapshot = await hub.log.snapshot(topic)
      if (snapshot === undefined || snapshot.epoch === plan.epochs[shard]) return snapshot
      if (snapshot.epoch !== hub.epoch(shard)) await advanced
      await hub.epochChange
      this.catchUp.followEpochs()
    }
  }
}
