import { type Instrument, parseTopicKey } from '@tickwire/protocol'
import type { HubParts } from './hub-parts.js'
import { type LiveState, LiveStates, stateMessages } from './live-states.js'
import type { Entrance } from './membership.js'
import { flushAll, type Subscriber } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'
import type { View } from './view.js'

/**
 * Moves an instrument between sets (PROTOCOL.md, Terms: symbol set). Whoever subscribes to a set that it enters is
 * sent `reset` and the state of its topics, and what comes after; whoever has a topic already keeps it.
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
  for (const [topic, state] of states) {
    const audience = hub.audience.of(topic)
    const had = before.get(topic)!
    for (const view of audience.views()) {
      const given = new TopicBytes(hub.encoders, encoder => state === undefined ? [] : stateMessages(hub, encoder, state, view.depth))
      const entered = new TopicBytes(hub.encoders, encoder => [encoder.reset(topic, 'entered'), ...state === undefined ? [] : stateMessages(hub, encoder, state, view.depth)])
      for (const subscriber of audience.members(view)) {
        const old = had.get(subscriber)
        if (old?.depth === view.depth) continue
        if (view.depth > 0 && state?.snapshot !== undefined) hub.cutStates.begin(topic, state.snapshot.payload)
        subscriber.deliver(old === undefined ? entered : given)
        if (old === undefined) hub.counters.resets.entered++
        dirty.add(subscriber)
      }
    }
  }
  flushAll(dirty)
}

/**
 * The topics that somebody will be sent, or will be sent another part of, with their states where the hub stands;
 * undefined for one that has none. It is all true in the tick in which it comes.
 */
async function readStates (hub: HubParts, { symbol, sets }: Entrance): Promise<ReadonlyMap<string, LiveState | undefined>> {
  const find = (): string[] => [
    ...hub.audience.topicsOfSets(sets, symbol),
    // A set that made a book whole may be left, and what is left wants a part of it.
    ...hub.audience.topicsOfSets(hub.membership.sets(symbol), symbol).filter(topic => hub.channelOf(topic)?.levels !== undefined)
  ].filter(topic => hub.directory.last(topic) !== undefined)
  for (;;) {
    const topics = new Set(find())
    const states = topics.size === 0 ? NO_STATES : await LiveStates.whenTold(hub, topics, { histories: true })
    // Somebody may have come meanwhile, or a topic been born.
    if (find().every(topic => topics.has(topic))) return new Map([...topics].map(topic => [topic, states.get(topic)]))
  }
}

const NO_STATES: ReadonlyMap<string, LiveState> = new Map()
