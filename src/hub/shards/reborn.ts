import type { MessageWriter, Written } from '../format.js'
import type { HubParts } from '../hub-parts.js'
import { deliverTo, type Subscriber } from '../subscriber.js'
import { TopicBytes } from '../topic-bytes.js'

/**
 * Delivers `reset` before the first message of a topic (PROTOCOL.md, Terms). A client that resumed with a
 * lost position may hold a topic of that name that the log did not have any more. Topics that the client
 * named were reset at once.
 */
export function resetReborn (hub: HubParts, topic: string, dirty: Subscriber[]): void {
  const write = (writer: MessageWriter): Written[] => [writer.reset(topic, 'epoch_changed')]
  const reset = new TopicBytes(hub, topic, write, 'epoch_changed')
  for (const subscriber of hub.audience.broadSubscribers(topic)) {
    if (subscriber.lostTopics === undefined) continue
    if (deliverTo(subscriber, reset)) dirty.push(subscriber)
    hub.counters.resets.epoch_changed++
  }
}
