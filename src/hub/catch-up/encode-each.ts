import type { Entry } from '../../log/log.js'
import type { MessageEncoder } from '../frame.js'
import type { HubParts } from '../hub-parts.js'

/**
 * Messages of one topic as JSON texts, where each stands for itself. In place of those that cannot be encoded stands a reset: the next one
 * follows on (PROTOCOL.md, The client's rule, 3).
 */
export function encodeEach (hub: HubParts, encoder: MessageEncoder, entries: readonly Entry[]): string[] {
  const texts: string[] = []
  let failed = false
  for (const entry of entries) {
    try {
      texts.push(encoder.entry(entry))
      failed = false
    } catch (error) {
      hub.failures.note(entry.topic, 'encode', error)
      if (!failed) texts.push(encoder.reset(entry.topic, 'history_lost'))
      if (!failed) hub.counters.resets.history_lost++
      failed = true
    }
  }
  return texts
}
