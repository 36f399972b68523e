import type { KeyedMessage } from '../log.js'
import { parseEntry, parsePosition, type StreamEntry } from './append/batch.js'
import type { ShardKeys } from './keys.js'
import type { Reader } from './tail/reader.js'

/** See `Log.find`. @throws ProtocolError `log_unavailable` */
export async function findKeyedMessage (
  reader: Reader, keys: ShardKeys, shard: number, topic: string, idempotencyKey: string
): Promise<KeyedMessage | undefined> {
  const scriptKeys = [...keys.common, keys.stream(topic), keys.once(topic, idempotencyKey)]
  const [place, entry] = await reader.run('find', scriptKeys, []) as [place: string, entry?: StreamEntry]
  if (place === '') return undefined
  return {
    ...parsePosition(place), entry: entry === undefined ? undefined : parseEntry(topic, shard, entry)
  }
}
