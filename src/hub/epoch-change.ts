import type { Log } from '../log/log.js'
import type { Directory } from './directory.js'
import type { MessageEncoder } from './frame.js'
import { readHeld } from './held.js'
import type { Subscriber } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'

/** What subscribers of a lost topic are given behind its `reset`. */
interface Recovery {
  readonly topic: string
  readonly messages: readonly string[]
  readonly asOf: number
}

/** The part of the hub that a new epoch concerns. */
interface LiveTopics {
  readonly log: Log
  readonly directory: Directory
  readonly encoder: MessageEncoder
  subscribers (topic: string): Iterable<Subscriber>
  allSubscribers (): Iterable<Subscriber>
}

/**
 * Deals with a new epoch of a shard for what is live (PROTOCOL.md, Epochs): exactly the topics that were sent
 * beyond its start get `reset`, then a snapshot or else what the log still holds; then every subscriber hears of
 * the epoch. The hub passes nothing on meanwhile.
 * @param lost the topics of which something beyond that start was passed on
 * @param cover tells the hub that what is pending of a topic up to an offset is part of what was given here
 */
export async function changeEpoch (
  hub: LiveTopics, shard: number, lost: ReadonlySet<string>, cover: (topic: string, upTo: number) => void
): Promise<void> {
  const inShard = (topic: string): boolean => hub.log.shardOf(topic) === shard
  await hub.directory.load(hub.log, inShard)
  const recoveries: Recovery[] = []
  for (const topic of lost) {
    if ([...hub.subscribers(topic)].length > 0) recoveries.push(await recover(hub, topic))
  }
  const dirty = new Set<Subscriber>()
  for (const { topic, messages, asOf } of recoveries) {
    const bytes = new TopicBytes([hub.encoder.reset(topic, 'epoch_changed'), ...messages])
    for (const subscriber of hub.subscribers(topic)) {
      subscriber.deliver(bytes.as(subscriber.format))
      dirty.add(subscriber)
    }
    cover(topic, asOf)
  }
  for (const subscriber of dirty) subscriber.flush()
  for (const subscriber of hub.allSubscribers()) subscriber.epochChanged(shard)
}

async function recover (hub: LiveTopics, topic: string): Promise<Recovery> {
  const snapshot = await hub.log.snapshot(topic)
  if (snapshot !== undefined) return { topic, messages: [hub.encoder.snapshot(snapshot)], asOf: snapshot.asOf }
  const { entries, asOf } = await readHeld(hub.log, topic)
  return { topic, messages: entries.map(entry => hub.encoder.entry(entry)), asOf }
}
