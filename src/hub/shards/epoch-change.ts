import type { ResetReason } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../../log/log.js'
import type { MessageWriter, Written } from '../format.js'
import {
  charactersOf, HISTORIES_AT_A_TIME, readWhole, SLICE_CHARACTERS, type WholeHistory
} from '../catch-up/retained.js'
import type { HubParts } from '../hub-parts.js'
import { ReadAhead } from '../read-ahead.js'
import { readState, writeState } from './live-states.js'
import { deliverTo, flushAll, type Subscriber, forEachSubscriber } from '../subscriber.js'
import { TopicBytes } from '../topic-bytes.js'

/** A loss of one shard: in a new epoch, or in a hole of what the node received. */
export interface Loss {
  readonly shard: number
  /** The shard's epoch when the loss was found. */
  readonly epoch: number
  /** The topics that lost messages: some that were passed on, or some that this node never received. */
  readonly topics: ReadonlySet<string>
  readonly reason: ResetReason
}

/** What follows the reset of a topic. */
interface Replacement {
  readonly topic: string
  /** It contains every message of the topic up to this offset, and none after it. */
  readonly asOf: number
  readonly snapshot?: Snapshot
  /** The retained messages, if the topic has no state or its state is not known. */
  readonly entries?: readonly Entry[]
}

interface Replacements {
  readonly replacements: readonly Replacement[]
  /** Topics whose retained messages do not fit. */
  readonly longHistories: readonly string[]
}

/**
 * Sends live subscribers what they need after a loss (PROTOCOL.md, Epochs): `reset` for every topic that lost
 * messages, followed by its snapshot, or by its retained messages if they fit in one slice. The reset of a
 * longer history becomes pending, and its subscribers catch up. The hub passes nothing on meanwhile. If
 * another epoch has begun by the time the states have been read, nothing is sent.
 * @param cover tells the hub that entries of a topic up to an offset are part of what was sent here
 * @throws ProtocolError `log_unavailable`
 */
export async function restateLost (
  hub: HubParts, { shard, epoch, topics, reason }: Loss, cover: (topic: string, upTo: number) => void
): Promise<void> {
  await hub.directory.load(hub.log, shard, epoch)
  const { replacements, longHistories } = await readReplacements(hub, topics)
  // A log on another machine may be ahead of what the hub has received. Without this wait, the hub would
  // receive those messages after the state that contains them, and pass them on again.
  const upTo = Math.max(0, ...replacements.map(({ asOf }) => asOf))
  while (hub.epoch(shard) === epoch && hub.shards[shard]!.received < upTo) await hub.advanced()
  // The log may have lost what was read here, too. The restatement of the newer epoch includes these topics.
  if (hub.epoch(shard) !== epoch) return
  const dirty = new Set<Subscriber>()
  for (const replacement of replacements) {
    const { topic, snapshot, asOf } = replacement
    const audience = hub.audience.of(topic)
    hub.cutStates.restart(topic, snapshot?.payload)
    for (const view of audience.views()) {
      const bytes = new TopicBytes(hub, topic, writer =>
        [writer.reset(topic, reason), ...messagesOf(hub, writer, replacement, view.depth)], reason)
      for (const subscriber of audience.members(view)) {
        deliverTo(subscriber, bytes)
        hub.counters.resets[reason]++
        dirty.add(subscriber)
      }
    }
    cover(topic, asOf)
  }
  flushAll(dirty)
  for (const topic of longHistories) {
    const subscribers = hub.audience.of(topic).everybody()
    forEachSubscriber(subscribers, subscriber => { subscriber.requireReset([topic], reason) })
  }
}

/**
 * Reads what follows the reset of each topic that has subscribers. All histories together get one slice: the
 * readers of a topic share its bytes, but each of them may leave them unread.
 */
async function readReplacements (hub: HubParts, topics: Iterable<string>): Promise<Replacements> {
  const replacements: Replacement[] = []
  const longHistories: string[] = []
  let left = SLICE_CHARACTERS
  const subscribed = [...topics].filter(topic => {
    const isSubscribed = !hub.audience.of(topic).empty
    if (!isSubscribed) hub.cutStates.forget(topic)
    return isSubscribed
  })
  // All at once: the log answers many reads in one round trip.
  const states = await Promise.all(subscribed.map(async topic =>
    hub.channelOf(topic)?.reduce === undefined ? undefined : await readState(hub, topic)))
  const histories = new ReadAhead<WholeHistory | undefined>({
    epochOf: topic => hub.epoch(hub.log.shardOf(topic)),
    read: topic => readWhole(hub.log, topic, SLICE_CHARACTERS),
    charactersOf: whole => whole === undefined ? SLICE_CHARACTERS : charactersOf(whole.entries),
    atATime: SLICE_CHARACTERS,
    most: () => HISTORIES_AT_A_TIME
  })
  const stateless = new Set<string>()
  for (const [index, topic] of subscribed.entries()) {
    const snapshot = states[index]
    if (snapshot === undefined) stateless.add(topic)
    else replacements.push({ topic, snapshot, asOf: snapshot.asOf })
  }
  for (const topic of [...stateless]) {
    stateless.delete(topic)
    const whole = left > 0 ? await histories.take(topic, stateless) : undefined
    const characters = charactersOf(whole?.entries ?? [])
    if (whole === undefined || characters > left) longHistories.push(topic)
    else {
      left -= characters
      replacements.push({ topic, ...whole })
    }
  }
  return { replacements, longHistories }
}

function messagesOf (
  hub: HubParts, writer: MessageWriter, { snapshot, entries = [] }: Replacement, depth: number
): Written[] {
  if (snapshot !== undefined) return [writeState(hub, writer, snapshot, depth)]
  // A book that is cut to a depth, and whose state is not known, waits for a message that replaces it.
  return depth > 0 ? [] : entries.map(entry => writer.data(entry))
}

/** Finds the topics of a shard that had a message passed on at an offset or after it. */
export function topicsPassedOnFrom (hub: HubParts, shard: number, offset: number): Set<string> {
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
