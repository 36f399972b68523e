import { topicKey } from '@tickwire/protocol'
import type { HubParts } from './hub-parts.js'
import { flushAll } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'

const topic = topicKey({ channel: 'system' })

const notice = (available: boolean): { level: string, message: string } => available
  ? { level: 'info', message: 'the log can be reached again' }
  : { level: 'warning', message: 'the log cannot be reached: nothing new is sent or taken until it can; no message is lost' }

/**
 * Tells those who subscribe to `system` that the log has gone away or come back. It is no message of the log, which takes none
 * then: it comes as the topic's state, and stands where they stand.
 */
export function tellAvailability (hub: HubParts, available: boolean): void {
  const payload = JSON.stringify(notice(available))
  const sequence = hub.directory.last(topic)?.sequence ?? 0
  const bytes = new TopicBytes(hub.encoders, encoder => [encoder.snapshot({ topic, epoch: 0, sequence, timestamp: Date.now(), payload, asOf: 0 })])
  flushAll([...hub.audience.of(topic).everybody()].filter(subscriber => subscriber.deliver(bytes)))
}
