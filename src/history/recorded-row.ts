import { instantMs, parseTopicKey } from '@tickwire/protocol'
import { type Entry, epochAt, type ShardHead } from '../log/log.js'
import type { RecordedTopic } from '../store/recording.js'
import type { RecordedRow, RecorderPosition } from '../store/tables.js'

/** Fields of data that say when it happened, the most exact first. */
const TIMES = ['start', 'timestamp', 'venue_time', 'as_of'] as const

/** The topic of a key, as the recording has it. */
export function recordedTopic (key: string): RecordedTopic {
  const { channel, symbol = '' } = parseTopicKey(key)
  return { channel, symbol }
}

export function rowOf (
  entry: Entry, { era, floor }: Pick<RecorderPosition, 'era' | 'floor'>, head: ShardHead
): RecordedRow {
  const { topic, shard, offset, sequence, payload, replaces } = entry
  const timestamp = Math.max(entry.timestamp, floor)
  return {
    ...recordedTopic(topic),
    time: timeOf(payload) ?? timestamp,
    timestamp,
    era,
    sequence,
    shard,
    epoch: epochAt(offset, head),
    log_offset: offset,
    snapshot: replaces ? 1 : 0,
    data: payload
  }
}

/** Returns when a message happened, in ms since 1970; undefined if its data does not say. */
function timeOf (payload: string): number | undefined {
  const data = JSON.parse(payload) as Partial<Record<string, unknown>> | null
  for (const field of TIMES) {
    const text = data?.[field]
    const time = typeof text === 'string' ? instantMs(text) : NaN
    if (!Number.isNaN(time)) return Math.floor(time)
  }
  return undefined
}
