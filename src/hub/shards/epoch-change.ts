import type { ResetReason } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../../log/log.js'
import type { MessageWriter, Written } from '../format.js'
import { charactersOf, readWhole, SLICE_CHARACTERS } from '../catch-up/retained.js'
import type { HubParts } from '../hub-parts.js'
import { readState, writeState } from './live-states.js'
import { deliverTo, flushAll, type Subscriber, forEachSubscriber } from '../subscriber.js'
import { TopicBytes } from '../topic-bytes.js'

/** What a topic is given behind its reset. */
interface Given {
  readonly topic: string
  /** Every message of the topic up to here is part of it, none beyond. */
  readonly asOf: number
  readonly snapshot?: Snapshot
  /** Of a topic without a state. */
  readonly entries?: readonly Entry[]
}

/**
 * Deals with what a shard has lost for those who are live (PROTOCOL.md, Epochs): exactly the topics of which something
 * is lost get `reset`, then a snapshot or else what the log still holds, where that is little; what is much, they are owed. The hub
 * passes nothing on meanwhile.
 * @param epoch the shard's; where it is over when the states have been read, nothing is done
 * @param lost the topics of which something was passed on that is no more, or is gone that was not
 * @param cover tells the hub that what is pending of a topic up to an offset is part of what was given here
 */
export async function changeEpoch (
  hub: HubParts, shard: number, epoch: number, lost: ReadonlySet<string>, reason: ResetReason, cover: (topic: string, upTo: number) => void
): Promise<void> {
  await hub.directory.load(hub.log, shard, epoch)
  const { given, owed } = await readStates(hub, lost)
  // A log on another machine may be ahead of what the hub has heard: that would come again behind the state.
  const upTo = Math.max(0, ...given.map(({ asOf }) => asOf))
  while (hub.epoch(shard) === epoch && hub.shards[shard]!.received < upTo) await hub.advanced()
  // What was read here may be lost again: all of it is for the epoch that began meanwhile.
  if (hub.epoch(shard) !== epoch) return
  const dirty = new Set<Subscriber>()
  for (const state of given) {
    const { topic, snapshot, asOf } = state
    const audience = hub.audience.of(topic)
    hub.cutStates.restart(topic, snapshot?.payload)
    for (const view of audience.views()) {
      const bytes = new TopicBytes(hub, topic, writer => [writer.reset(topic, reason), ...messages(hub, writer, state, view.depth)])
      for (const subscriber of audience.members(view)) {
        deliverTo(subscriber, bytes)
        hub.counters.resets[reason]++
        dirty.add(subscriber)
      }
    }
    cover(topic, asOf)
  }
  flushAll(dirty)
  for (const topic of owed) forEachSubscriber(hub.audience.of(topic).everybody(), subscriber => { subscriber.requireReset([topic], reason) })
}

/** What is to be given of the topics that somebody reads. Of histories, as much as makes a slice: all readers share it, and it must be held for each of them. */
async function readStates (hub: HubParts, topics: Iterable<string>): Promise<{ readonly given: readonly Given[], readonly owed: readonly string[] }> {
  const given: Given[] = []
  const owed: string[] = []
  let left = SLICE_CHARACTERS
  const heard = [...topics].filter(topic => {
    const isHeard = !hub.audience.of(topic).empty
    if (!isHeard) hub.cutStates.forget(topic)
    return isHeard
  })
  // All at once: the log answers many in one round trip.
  const states = await Promise.all(heard.map(async topic => hub.channelOf(topic)?.reduce === undefined ? undefined : await readState(hub, topic)))
  for (const [index, topic] of heard.entries()) {
    const snapshot = states[index]
    const whole = snapshot === undefined && left > 0 ? await readWhole(hub.log, topic, left) : undefined
    if (snapshot !== undefined) given.push({ topic, snapshot, asOf: snapshot.asOf })
    else if (whole === undefined) owed.push(topic)
    else {
      left -= charactersOf(whole.entries)
      given.push({ topic, ...whole })
    }
  }
  return { given, owed }
}

function messages (hub: HubParts, writer: MessageWriter, { snapshot, entries = [] }: Given, depth: number): Written[] {
  if (snapshot !== undefined) return [writeState(hub, writer, snapshot, depth)]
  // A book of some depth whose state is not known waits for a message that replaces it.
  return depth > 0 ? [] : entries.map(entry => writer.data(entry))
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
