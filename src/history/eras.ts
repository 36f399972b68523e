import { isGood, lastKept, type ShardHead } from '../log/log.js'
import type { RecorderPosition } from '../store/tables.js'

/** From where on, and in which era, messages of the log follow on those that are recorded. */
export type Following = Pick<RecorderPosition, 'era' | 'epoch' | 'log_offset' | 'timestamp' | 'floor'>

/** Before a shard was ever recorded. */
export const NOTHING_RECORDED = { era: 1, log_offset: 0, timestamp: 0, floor: 0 } as const

/**
 * Returns where the log goes on after a recorder's position. If the log has lost what was recorded, or has
 * begun anew, that is a new era, whose time is not before that of the rows there are.
 */
export function followingIn (head: ShardHead, position: Following): Following {
  const { epoch } = head
  const at = { epoch: position.epoch, offset: position.log_offset }
  if (isGood(at, head)) return { ...position, epoch }
  const floor = Math.max(position.timestamp, position.floor)
  // Of a log that does not know the epoch, such as one in memory after a restart, nothing is recorded.
  const isKnown = head.epochs.some(other => other.epoch === position.epoch)
  const offset = isKnown ? lastKept(at, head) : head.epochs[0]!.start - 1
  return { era: position.era + 1, epoch, log_offset: offset, timestamp: floor, floor }
}
