import type { Entry } from '../../log/log.js'
import type { OutgoingMessage } from '../format.js'

/** Messages of a topic joined into one: all after the sequence `before`, up to `last`. */
export interface Merged {
  /** The sequence before the first of them. */
  readonly before: number
  readonly last: Entry
  readonly replaces: boolean
  /** The data of all of them. Absent if it is the payload of the last one. */
  readonly data?: unknown
}

/** Makes one message of joined messages. @throws if their data cannot be written as JSON */
export function mergedMessage ({ before, last, replaces, data }: Merged): OutgoingMessage {
  const { topic, sequence, timestamp, payload } = last
  return {
    topic,
    sequence,
    timestamp,
    replaces,
    payload: data === undefined ? payload : JSON.stringify(data),
    prev: before === sequence - 1 ? undefined : before
  }
}
