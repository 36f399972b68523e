import { decodeCursor } from '@tickwire/protocol'
import type { StoredLog } from './stored-log.js'

/** A moment at which Redis lost the end of the log, or all of it. */
export interface Loss {
  readonly name: string
  /** Milliseconds: before it nothing was lost, behind it no node can append to what was. */
  readonly beganAt: number
  readonly endedAt: number
  /** What was left, read before any node could append to it. */
  readonly kept: StoredLog
  /** By shard, the epochs that there were before. */
  readonly epochsBefore: ReadonlyArray<ReadonlySet<number>>
  /** Of which something may have been lost; the others were at another master, which went on. */
  readonly shards: ReadonlySet<number>
}

/** Of a shard that a loss does not concern, everything was left that there was until the next one. */
export function completeLosses (losses: readonly Loss[], final: StoredLog): Loss[] {
  let next = final.numbers
  return [...losses].reverse().map(loss => {
    const numbers = new Map(loss.kept.numbers)
    for (const [topic, shard] of final.shardOf) {
      if (!loss.shards.has(shard)) numbers.set(topic, next.get(topic) ?? [])
    }
    next = numbers
    return { ...loss, kept: { ...loss.kept, numbers } }
  }).reverse()
}

/** The last sequence of a topic that was left. */
export const keptOf = ({ kept }: Loss, topic: string): number => kept.numbers.get(topic)?.length ?? 0

/**
 * Returns by shard whether a cursor lies at or beyond the point where the epoch after the loss begins
 * (PROTOCOL.md, Epochs).
 */
export function lostShards ({ kept, epochsBefore, shards: concerned }: Loss, cursor: string): boolean[] {
  const { shards } = decodeCursor(cursor)!
  return kept.shards.map(({ offset, epochs }, shard) => {
    const position = shards.get(shard)
    if (position === undefined || !concerned.has(shard)) return false
    const known = epochs.findIndex(({ epoch }) => epoch === position.epoch)
    // An epoch that is gone with the loss, or one that began after it.
    if (known < 0) return epochsBefore[shard]!.has(position.epoch)
    return position.offset >= Math.min(offset + 1, ...epochs.slice(known + 1).map(({ start }) => start))
  })
}
