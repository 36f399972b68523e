import type { Entry } from '../../log/log.js'
import type { OutgoingMessage } from '../format.js'

/** Messages of a topic joined into one: all behind a sequence, up to the last of them. */
export interface Merged {
  /** The sequence before the first of them. */
  readonly before: number
  readonly last: Entry
  readonly replaces: boolean
  /** What they come to. Absent where that is what the last one says. */
  readonly data?: unknown
}

/** @throws where what they come to has no JSON text */
export function mergedMessage ({ before, last: { topic, sequence, timestamp, payload }, replaces, data }: Merged): OutgoingMessage {
  return {
    topic,
    sequence,
    timestamp,
    replaces,
    payload: data === undefined ? payload : JSON.stringify(data),
    prev: before === sequence - 1 ? undefined : before
  }
}
