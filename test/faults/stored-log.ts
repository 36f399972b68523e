import type { Redis } from 'ioredis'
import { isPublished, numberOf } from './topics.js'

/** The Redis that holds a shard. */
export type RedisOf = (shard: number) => Redis

/**
 * The prefix of the log's keys on Redis. The checker reads these keys from outside, as src/log/redis/keys.ts
 * lists them, so that the log is not judged by its own word.
 */
const PREFIX = 'tw'

export interface StoredShard {
  /** Of its last message. */
  readonly offset: number
  /** Each epoch that it knows, and the offset at which it began. */
  readonly epochs: ReadonlyArray<{ readonly epoch: number, readonly start: number }>
}

/** What a Redis holds of the log. */
export interface StoredLog {
  readonly shards: readonly StoredShard[]
  /** Of each topic, the numbers of its messages: that of sequence s at s - 1. */
  readonly numbers: ReadonlyMap<string, readonly number[]>
  readonly shardOf: ReadonlyMap<string, number>
  /** Of each topic that a processor publishes to, the data of its messages. */
  readonly outputs: ReadonlyMap<string, readonly unknown[]>
  /** What cannot be: a topic whose messages are not 1, 2, 3, … */
  readonly faults: readonly string[]
}

export async function readShards (of: RedisOf, shards: number): Promise<StoredShard[]> {
  return await Promise.all(Array.from({ length: shards }, async (_, shard) => {
    const [offset, list] = await Promise.all([of(shard).hget(`{${PREFIX}:${shard}}:meta`, 'offset'), of(shard).lrange(`{${PREFIX}:${shard}}:epochs`, 0, -1)])
    return {
      offset: Number(offset ?? 0),
      epochs: list.map(text => {
        const [epoch, start] = text.split(':')
        return { epoch: Number(epoch), start: Number(start) }
      })
    }
  }))
}

/** Reads all of it, beginning no epoch as a node's script would. */
export async function readLog (of: RedisOf, shards: number): Promise<StoredLog> {
  const numbers = new Map<string, number[]>()
  const shardOf = new Map<string, number>()
  const outputs = new Map<string, readonly unknown[]>()
  const faults: string[] = []
  const stored = await readShards(of, shards)
  for (let shard = 0; shard < shards; shard++) {
    const redis = of(shard)
    const last = await redis.hgetall(`{${PREFIX}:${shard}}:seq`)
    await Promise.all(Object.entries(last).map(async ([topic, position]) => {
      const entries = await redis.xrange(`{${PREFIX}:${shard}}:t:${topic}`, '-', '+')
      const own = entries.map(([id, fields], index): unknown => {
        const sequence = Number(id.split('-')[1])
        if (sequence !== index + 1) faults.push(`${topic}: the stream has ${id} in place ${index + 1}`)
        return JSON.parse(fields[fields.indexOf('d') + 1]!)
      })
      if (Number.parseInt(position) !== own.length) faults.push(`${topic}: seq says ${position}, the stream holds ${own.length}`)
      if (isPublished(topic)) numbers.set(topic, own.map(numberOf))
      else outputs.set(topic, own)
      shardOf.set(topic, shard)
    }))
  }
  return { shards: stored, numbers, shardOf, outputs, faults }
}
