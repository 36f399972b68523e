import type { HubParts } from '../hub-parts.js'
import { deliverTo, type Subscriber } from '../subscriber.js'
import { TopicBytes } from '../topic-bytes.js'

/**
 * PROTOCOL.md, Terms: after a resume whose position was lost, a topic that the log did not have gets a reset
 * before its first message. Topics that were named got theirs at once.
 */
export function deliverReborn (hub: HubParts, topic: string, dirty: Subscriber[]): void {
  const reset = new TopicBytes(hub, topic, writer => [writer.reset(topic, 'epoch_changed')])
  for (const subscriber of hub.audience.broadHolders(topic)) {
    if (subscriber.lostTopics === undefined) continue
    if (deliverTo(subscriber, reset)) dirty.push(subscriber)
    hub.counters.resets.epoch_changed++
  }
}
