import type { ResetReason } from '@tickwire/protocol'
import type { Snapshot } from '../log/log.js'
import type { HubParts } from './hub-parts.js'
import { stateMessage } from './live-states.js'
import { flushAll, type Subscriber } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'

/**
 * Deals with what a shard has lost for those who are live (PROTOCOL.md, Epochs): exactly the topics of which something
 * is lost get `reset`, then a snapshot; those that have no state are owed it, with what the log still holds. The hub passes
 * nothing on meanwhile.
 * @param epoch the shard's; where it is over when the states have been read, nothing is done
 * @param lost the topics of which something was passed on that is no more, or is gone that was not
 * @param cover tells the hub that what is pending of a topic up to an offset is part of what was given here
 */
export async function changeEpoch (
  hub: HubParts, shard: number, epoch: number, lost: ReadonlySet<string>, reason: ResetReason, cover: (topic: string, upTo: number) => void
): Promise<void> {
  await hub.directory.load(hub.log, shard, epoch)
  const histories: string[] = []
  const states: Array<{ readonly topic: string, readonly snapshot: Snapshot | undefined }> = []
  for (const topic of lost) {
    if (hub.audience.of(topic).empty) hub.cutStates.forget(topic)
    else if (hub.channelOf(topic)?.reduce === undefined) histories.push(topic)
    else states.push({ topic, snapshot: await hub.log.snapshot(topic) })
  }
  // A log on another machine may be ahead of what the hub has heard: that would come again behind the state.
  const upTo = Math.max(0, ...states.map(({ snapshot }) => snapshot?.asOf ?? 0))
  while (hub.epoch(shard) === epoch && hub.shards[shard]!.received < upTo) await hub.advanced()
  // What was read here may be lost again: all of it is for the epoch that began meanwhile.
  if (hub.epoch(shard) !== epoch) return
  const dirty = new Set<Subscriber>()
  for (const { topic, snapshot } of states) {
    const audience = hub.audience.of(topic)
    hub.cutStates.restart(topic, snapshot?.payload)
    for (const view of audience.views()) {
      const bytes = new TopicBytes(hub.encoders, encoder => [encoder.reset(topic, reason), ...snapshot === undefined ? [] : [stateMessage(hub, encoder, snapshot, view.depth)]])
      for (const subscriber of audience.members(view)) {
        subscriber.deliver(bytes)
        hub.counters.resets[reason]++
        dirty.add(subscriber)
      }
    }
    if (snapshot !== undefined) cover(topic, snapshot.asOf)
  }
  flushAll(dirty)
  for (const topic of histories) for (const subscriber of hub.audience.of(topic).everybody()) subscriber.owe([topic], reason)
}

/** The topics of a shard of which something at or beyond an offset was passed on. */
export function passedOnBeyond (hub: HubParts, shard: number, offset: number): Set<string> {
  const { recent } = hub.shards[shard]!
  const topics = new Set<string>()
  if (recent.covers(offset - 1)) {
    recent.after(offset - 1, topic => { topics.add(topic); return false }, () => true)
  } else {
    for (const [topic, last] of hub.directory.every()) {
      if (hub.log.shardOf(topic) === shard && last.offset >= offset) topics.add(topic)
    }
  }
  return topics
}
