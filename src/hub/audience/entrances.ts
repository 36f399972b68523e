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
 * Moves an instrument between sets (PROTOCOL.md, Terms: symbol set). Subscribers of a set that it enters get
 * `reset` and the state of each of its topics, and the messages that come after. For topics without a state
 * the reset becomes pending, and the subscribers catch up on the retained messages. A subscriber that has a
 * topic already keeps it.
 * @throws ProtocolError `log_unavailable`
 */
export async function moveInstrument (hub: HubParts, instrument: Instrument): Promise<void> {
  const entrance = hub.membership.entrance(instrument)
  if (entrance === undefined) return
  const { symbol } = entrance
  const states = await readStates(hub, entrance)
  const before = new Map<string, Map<Subscriber, View>>()
  // Throttled messages that are pending belong to the subscribers by the old sets.
  hub.sendPending(topic => parseTopicKey(topic).symbol === symbol)
  for (const topic of states.keys()) {
    const audience = hub.audience.of(topic)
    const views = new Map<Subscriber, View>()
    for (const subscriber of audience.everybody()) views.set(subscriber, audience.view(subscriber)!)
    before.set(topic, views)
  }
  hub.membership.set(instrument)
  const dirty = new Set<Subscriber>()
  const pendingResets: Array<[Subscriber, string]> = []
  for (const [topic, state] of states) {
    const audience = hub.audience.of(topic)
    const viewsBefore = before.get(topic)!
    const hasState = hub.channelOf(topic)?.reduce !== undefined
    for (const view of audience.views()) {
      const write = (writer: MessageWriter): Written[] =>
        state === undefined ? [] : [writeState(hub, writer, state, view.depth)]
      const stateAlone = new TopicBytes(hub, topic, write)
      const resetAndState = new TopicBytes(hub, topic, writer =>
        [writer.reset(topic, 'entered'), ...write(writer)], 'entered')
      for (const subscriber of audience.members(view)) {
        const viewBefore = viewsBefore.get(subscriber)
        if (viewBefore?.depth === view.depth) continue
        if (!hasState) {
          pendingResets.push([subscriber, topic])
          continue
        }
        if (view.depth > 0 && state !== undefined) hub.cutStates.begin(topic, state.payload)
        // Without a known state, messages of this depth do not follow on from a book of another.
        const resets = viewBefore === undefined || state === undefined
        deliverTo(subscriber, resets ? resetAndState : stateAlone)
        if (resets) hub.counters.resets.entered++
        dirty.add(subscriber)
      }
    }
  }
  flushAll(dirty)
  for (const [subscriber, topic] of pendingResets) {
    forEachSubscriber([subscriber], () => { subscriber.requireReset([topic], 'entered') })
  }
}

type States = ReadonlyMap<string, Snapshot | undefined>

/**
 * Reads the topics that the move brings to somebody, or of which it brings somebody another depth: with their
 * states where the hub stands, undefined for a topic without one. The result is true only in the tick in
 * which it resolves.
 */
async function readStates (hub: HubParts, { symbol, sets }: Entrance): Promise<States> {
  const isBook = (topic: string): boolean => hub.channelOf(topic)?.levels !== undefined
  const findTopics = (): string[] => [
    ...hub.audience.topicsOfSets(sets, symbol),
    // By a set that the symbol leaves, a subscriber may have had more of a book than it wants otherwise.
    ...hub.audience.topicsOfSets(hub.membership.sets(symbol), symbol).filter(isBook)
  ].filter(topic => hub.directory.last(topic) !== undefined)
  for (;;) {
    const topics = new Set(findTopics())
    const states = topics.size === 0 ? NO_STATES : await LiveStates.settled(hub, topics)
    // Meanwhile somebody may have subscribed, or a topic may have been born: then read again.
    if (!findTopics().every(topic => topics.has(topic))) continue
    return new Map(Array.from(topics, topic => [topic, states.get(topic)]))
  }
}

const NO_STATES: ReadonlyMap<string, Snapshot> = new Map()
