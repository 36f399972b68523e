import type { Instrument } from '@tickwire/protocol'
import type { HubParts } from './hub-parts.js'
import { LiveStates, stateMessages } from './live-states.js'
import type { Subscriber } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'
import type { View } from './view.js'

/**
 * Moves an instrument between sets (PROTOCOL.md, Terms: symbol set). Whoever subscribes to a set that it enters is
 * sent `reset` and the state of its topics, and what comes after; whoever has a topic already keeps it.
 */
export async function moveInstrument (hub: HubParts, instrument: Instrument): Promise<void> {
  const entrance = hub.membership.entrance(instrument)
  if (entrance === undefined) return
  const { symbol, sets } = entrance
  const topics = hub.audience.topicsOfSets(sets, symbol).filter(topic => hub.directory.last(topic) !== undefined)
  const states = topics.length === 0 ? undefined : await LiveStates.whenTold(hub, topics, { histories: true })
  const before = new Map<string, Map<Subscriber, View>>()
  const holders = new Set(hub.audience.holdersOfSets([...sets, ...hub.membership.sets(symbol)]))
  for (const subscriber of holders) hub.settle(subscriber)
  for (const topic of topics) {
    const audience = hub.audience.of(topic)
    before.set(topic, new Map([...audience.everybody()].map(subscriber => [subscriber, audience.view(subscriber)!])))
  }
  hub.membership.set(instrument)
  const dirty = new Set(holders)
  for (const topic of topics) {
    const state = states?.get(topic)
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
  for (const subscriber of dirty) subscriber.flush()
}
