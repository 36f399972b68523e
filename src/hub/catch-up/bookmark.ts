import { type Cursor, decodeCursor, type ThrottledChannels } from '@tickwire/protocol'
import type { Hub } from '../hub.js'
import type { PendingState } from './pending.js'

/**
 * Where a client was left off that reads too slowly: all that a catch-up must know to go on from there, and nothing
 * of what is to be sent. It is a cursor, but exact: within a connection nothing may come twice.
 */
export interface Bookmark {
  readonly epochs: readonly number[]
  /** By shard, in those epochs: everything up to here was sent. */
  readonly position: readonly number[]
  /** What a cursor may say of it, of the shards that the client follows; undefined where no cursor would say the same: resets are owed, or states were sent beyond. */
  readonly covered: Cursor['shards'] | undefined
  /** Topics that were sent beyond {@link position}, and up to where. */
  readonly floors: ReadonlyMap<string, number>
  /** Topics whose reset or state is owed. */
  readonly pending: ReadonlyMap<string, PendingState>
  /** Whether a new epoch is still to be told of. */
  readonly epochPending: boolean
  /** See `CursorMarks.lostTopics` of the protocol package. */
  readonly lostTopics: number | undefined
  readonly sets: SetsAt
}

/** Which symbols were in which sets: what moves later may have to be given anew. */
export interface SetsAt {
  readonly version: number
  /** Instruments behind it had not been moved. */
  readonly position: Cursor['shards']
  /** Channels of which something was throttled or cut. */
  readonly reduced: ThrottledChannels
}

export function setsNow (hub: Hub, reduced: ThrottledChannels): SetsAt {
  return { version: hub.membership.version, position: positionsOf(hub.cursorText('')), reduced }
}

/** Of a client that was sent all that the hub has passed on of the shards that it follows. */
export function bookmarkHere (hub: Hub, shards: readonly number[], lostTopics: number | undefined, reduced: ThrottledChannels): Bookmark {
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

/** Offsets by shard as a cursor would say them now: before instruments that wait to be moved between sets. */
export function coveredBy (hub: Hub, offsets: ReadonlyMap<number, number>): Cursor['shards'] {
  const positions = positionsOf(hub.positionAt(offsets))
  return new Map(Array.from(offsets.keys(), shard => [shard, positions.get(shard)!]))
}

/** What a client that lags has been sent; undefined where no offsets of the present epochs would say it. */
export function offsetsOf (hub: Hub, { pending, covered }: Bookmark): ReadonlyMap<number, number> | undefined {
  if (pending.size > 0 || covered === undefined || hub.epochChange !== undefined) return undefined
  const positions = [...covered]
  return positions.every(([shard, { epoch }]) => epoch === hub.epoch(shard)) ? new Map(positions.map(([shard, { offset }]) => [shard, offset])) : undefined
}

const positionsOf = (cursor: string): Cursor['shards'] => decodeCursor(cursor)!.shards
