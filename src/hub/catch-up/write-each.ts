import type { Entry } from '../../log/log.js'
import type { MessageWriter, Written } from '../format.js'
import type { HubParts } from '../hub-parts.js'

/**
 * Writes messages of one topic that do not build on each other. Messages that cannot be written are replaced
 * by a reset, so that the next one follows on (PROTOCOL.md, The client's rule, 3).
 */
export function writeEach (hub: HubParts, writer: MessageWriter, entries: readonly Entry[]): Written[] {
  const messages: Written[] = []
  let failed = false
  for (const entry of entries) {
    try {
      messages.push(writer.data(entry))
      failed = false
    } catch (error) {
      hub.failures.note(entry.topic, 'encode', error)
      if (!failed) messages.push(writer.reset(entry.topic, 'history_lost'))
      if (!failed) hub.counters.resets.history_lost++
      failed = true
    }
  }
  return messages
}
