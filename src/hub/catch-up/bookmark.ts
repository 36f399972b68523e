import { type Cursor, decodeCursor, type ThrottledChannels } from '@tickwire/protocol'
import type { Hub } from '../hub.js'
import type { PendingState } from './pending.js'

/**
 * The position of a lagging client: all that a catch-up needs to go on from there, and none of the messages
 * that are to be sent. It is an exact cursor: within a connection no message may come twice.
 */
export interface Bookmark {
  readonly epochs: readonly number[]
  /** By shard, in those epochs: everything up to here was sent. */
  readonly position: readonly number[]
  /**
   * The position as a cursor may say it, for the shards that the client follows. Undefined if no cursor says
   * it: resets are pending, or the client was sent topics beyond {@link position}.
   */
  readonly covered: Cursor['shards'] | undefined
  /** By topic, the offset up to which the client was sent more than {@link position} says. */
  readonly floors: ReadonlyMap<string, number>
  /** The pending resets and states, by topic. */
  readonly pending: ReadonlyMap<string, PendingState>
  /** Whether the client has still to be sent a new epoch. */
  readonly epochPending: boolean
  /** See `CursorMarks.lostTopics` of the protocol package. */
  readonly lostTopics: number | undefined
  readonly sets: SetsAt
}

/** The state of the symbol sets at some time: topics of symbols that move later may have to be restated. */
export interface SetsAt {
  /** Of `Membership`. */
  readonly version: number
  /** Instruments whose message came after it had not been moved. */
  readonly position: Cursor['shards']
  /** The channels in which the client had throttled or cut topics. */
  readonly reduced: ThrottledChannels
}

export function setsNow (hub: Hub, reduced: ThrottledChannels): SetsAt {
  return { version: hub.membership.version, position: positionsOf(hub.cursorText('')), reduced }
}

/** Makes the bookmark of a live client: it was sent all that the hub has passed on of its shards. */
export function bookmarkHere (
  hub: Hub, shards: readonly number[], lostTopics: number | undefined, reduced: ThrottledChannels
): Bookmark {
  const position = hub.shards.map(({ flushed }) => flushed)
  const sets = setsNow(hub, reduced)
  const floors = new Map(hub.givenAhead)
  return {
    epochs: position.map((_, shard) => hub.epoch(shard)),
    position,
    covered: floors.size > 0 ? undefined : new Map(shards.map(shard => [shard, sets.position.get(shard)!])),
    floors,
    pending: new Map(),
    epochPending: false,
    lostTopics,
    sets
  }
}

/** Returns offsets as a cursor says them now: before instruments that wait to be moved between sets. */
export function coveredBy (hub: Hub, offsets: ReadonlyMap<number, number>): Cursor['shards'] {
  const positions = positionsOf(hub.positionAt(offsets))
  return new Map(Array.from(offsets.keys(), shard => [shard, positions.get(shard)!]))
}

/**
 * Returns the position of a lagging client, by shard; undefined if no offsets of the current epochs say it.
 */
export function offsetsOf (hub: Hub, bookmark: Bookmark): ReadonlyMap<number, number> | undefined {
  const { pending, covered } = bookmark
  if (pending.size > 0 || covered === undefined || hub.epochChange !== undefined) return undefined
  const positions = [...covered]
  if (positions.some(([shard, { epoch }]) => epoch !== hub.epoch(shard))) return undefined
  return new Map(positions.map(([shard, { offset }]) => [shard, offset]))
}

const positionsOf = (cursor: string): Cursor['shards'] => decodeCursor(cursor)!.shards
