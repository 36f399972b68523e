import { type Instrument, parseTopicKey } from '@tickwire/protocol'
import type { MessageWriter, Written } from '../format.js'
import type { HubParts } from '../hub-parts.js'
import type { Snapshot } from '../../log/log.js'
import { LiveStates, writeState } from '../shards/live-states.js'
import type { Entrance } from './membership.js'
import { deliverTo, flushAll, type Subscriber, forEachSubscriber } from '../subscriber.js'
import { TopicBytes } from '../topic-bytes.js'
import type { View } from '../conflation/view.js'

/**
 * Moves an instrument between sets (PROTOCOL.md, Terms: symbol set). Whoever subscribes to a set that it enters is
 * sent `reset` and the state of its topics, or is owed what the log holds of them, and what comes after; whoever has a topic
 * already keeps it.
 */
export async function moveInstrument (hub: HubParts, instrument: Instrument): Promise<void> {
  const entrance = hub.membership.entrance(instrument)
  if (entrance === undefined) return
  const { symbol } = entrance
  const states = await readStates(hub, entrance)
  const before = new Map<string, Map<Subscriber, View>>()
  // What is pending of them is for those who were sent them by the sets as they were.
  hub.sendPending(topic => parseTopicKey(topic).symbol === symbol)
  for (const topic of states.keys()) {
    const audience = hub.audience.of(topic)
    before.set(topic, new Map([...audience.everybody()].map(subscriber => [subscriber, audience.view(subscriber)!])))
  }
  hub.membership.set(instrument)
  const dirty = new Set<Subscriber>()
  const owed: Array<[Subscriber, string]> = []
  for (const [topic, state] of states) {
    const audience = hub.audience.of(topic)
    const had = before.get(topic)!
    const isHistory = hub.channelOf(topic)?.reduce === undefined
    for (const view of audience.views()) {
      const write = (writer: MessageWriter): Written[] => state === undefined ? [] : [writeState(hub, writer, state, view.depth)]
      const given = new TopicBytes(hub, topic, write)
      const entered = new TopicBytes(hub, topic, writer => [writer.reset(topic, 'entered'), ...write(writer)])
      for (const subscriber of audience.members(view)) {
        const old = had.get(subscriber)
        if (old?.depth === view.depth) continue
        if (isHistory) {
          owed.push([subscriber, topic])
          continue
        }
        if (view.depth > 0 && state !== undefined) hub.cutStates.begin(topic, state.payload)
        // Where no state is known, what it has of another depth does not lead on to this one.
        const resets = old === undefined || state === undefined
        deliverTo(subscriber, resets ? entered : given)
        if (resets) hub.counters.resets.entered++
        dirty.add(subscriber)
      }
    }
  }
  flushAll(dirty)
  for (const [subscriber, topic] of owed) forEachSubscriber([subscriber], () => { subscriber.requireReset([topic], 'entered') })
}

/**
 * The topics that somebody will be sent, or will be sent another part of, with their states where the hub stands;
 * undefined for one that has none. It is all true in the tick in which it comes.
 */
async function readStates (hub: HubParts, { symbol, sets }: Entrance): Promise<ReadonlyMap<string, Snapshot | undefined>> {
  const find = (): string[] => [
    ...hub.audience.topicsOfSets(sets, symbol),
    // A set that made a book whole may be left, and what is left wants a part of it.
    ...hub.audience.topicsOfSets(hub.membership.sets(symbol), symbol).filter(topic => hub.channelOf(topic)?.levels !== undefined)
  ].filter(topic => hub.directory.last(topic) !== undefined)
  for (;;) {
    const topics = new Set(find())
    const states = topics.size === 0 ? NO_STATES : await LiveStates.settled(hub, topics)
    // Somebody may have come meanwhile, or a topic been born.
    if (find().every(topic => topics.has(topic))) return new Map([...topics].map(topic => [topic, states.get(topic)]))
  }
}

const NO_STATES: ReadonlyMap<string, Snapshot> = new Map()
