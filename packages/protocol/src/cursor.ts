import { decodeBase64Url, encodeBase64Url } from './base64url.js'
import { isChannelName } from './topic.js'

/**
 * Cursors and epochs as text. Both are opaque to clients; only servers read them.
 *
 * The first part of a cursor is base64url of: version (1 byte), a bitmap of the shards in the cursor (4
 * bytes), and for each of these shards, in order, its epoch (4 bytes) and offset (6 bytes). The second part
 * is its marks. The mark `.r` with an offset in base 36 says that the client may hold topics that the log
 * lost (see {@link CursorMarks.lostTopics}). `~quotes~book` names the channels that were throttled; `~~`
 * stands for all channels if their names do not fit.
 */
export const MAX_SHARDS = 32
export const MAX_CURSOR_LENGTH = 512
export const MAX_OFFSET = 2 ** 48 - 1
export const MAX_EPOCH = 2 ** 32 - 1

/** How far one shard was read: `offset` is that of the last message that was sent, 0 before the first. */
export interface ShardPosition {
  /** Names one stretch of the log's life: 32 bits, opaque. */
  readonly epoch: number
  readonly offset: number
}

/** What a cursor says about the client beside its position. */
export interface CursorMarks {
  /**
   * Set if the client resumed from a position that was lost: it may hold topics that the log does not have
   * any more. A topic born after this offset gets a `reset` first (PROTOCOL.md, Terms: symbol set); older
   * topics got theirs on the resume. If several shards were lost, it is the least of their offsets. Undefined
   * if no position was lost.
   */
  readonly lostTopics: number | undefined
  /** Channels of which the client was not sent every message; they resume by snapshot. */
  readonly throttled: ThrottledChannels
}

/** Names of channels; `all` if the names do not fit into a cursor. */
export type ThrottledChannels = 'all' | ReadonlySet<string>

export interface Cursor extends CursorMarks {
  /** By shard. If a shard is absent, the client counts as not subscribed before to its topics. */
  readonly shards: ReadonlyMap<number, ShardPosition>
}

const VERSION = 1
const HEADER_BYTES = 5
const SHARD_BYTES = 10
const LOST_TOPICS = '.r'
const THROTTLED = '~'
const MARKS = /^(?:\.r([0-9a-z]{1,10}))?(.*)$/s
/** What the positions of {@link MAX_SHARDS} shards leave of {@link MAX_CURSOR_LENGTH}. */
const MAX_MARKS_LENGTH = MAX_CURSOR_LENGTH - Math.ceil((HEADER_BYTES + MAX_SHARDS * SHARD_BYTES) * 4 / 3)

/** Returns a cursor as text. */
export function encodeCursor (cursor: Cursor): string {
  return encodePositions(cursor.shards) + encodeMarks(cursor)
}

/** Returns the first part of a cursor, which is the same for all clients at this position. */
export function encodePositions (shards: Cursor['shards']): string {
  const bytes = new Uint8Array(HEADER_BYTES + shards.size * SHARD_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, VERSION)
  let bitmap = 0
  let at = HEADER_BYTES
  for (let shard = 0; shard < MAX_SHARDS; shard++) {
    const position = shards.get(shard)
    if (position === undefined) continue
    bitmap |= 1 << shard
    view.setUint32(at, position.epoch)
    view.setUint16(at + 4, Math.floor(position.offset / 2 ** 32))
    view.setUint32(at + 6, position.offset % 2 ** 32)
    at += SHARD_BYTES
  }
  view.setUint32(1, bitmap >>> 0)
  return encodeBase64Url(bytes)
}

/** Returns the second part of a cursor, which is the client's own and mostly empty. */
export function encodeMarks ({ lostTopics, throttled }: CursorMarks): string {
  const lost = lostTopics === undefined ? '' : LOST_TOPICS + lostTopics.toString(36)
  const named = throttled === 'all'
    ? THROTTLED + THROTTLED
    : [...throttled].sort().map(channel => THROTTLED + channel).join('')
  return lost + (lost.length + named.length > MAX_MARKS_LENGTH ? THROTTLED + THROTTLED : named)
}

/**
 * Reads marks. Returns undefined if the text is not what {@link encodeMarks} writes: a cursor has one
 * spelling.
 */
function decodeMarks (text: string): CursorMarks | undefined {
  const [, lost, named = ''] = MARKS.exec(text)!
  const lostTopics = lost === undefined ? undefined : Number.parseInt(lost, 36)
  const throttled = named === THROTTLED + THROTTLED ? 'all' : new Set(named.split(THROTTLED).slice(1))
  if (throttled !== 'all' && ![...throttled].every(isChannelName)) return undefined
  return encodeMarks({ lostTopics, throttled }) === text ? { lostTopics, throttled } : undefined
}

/** Reads a cursor. Returns undefined if the text is not a cursor. */
export function decodeCursor (text: string): Cursor | undefined {
  if (text.length > MAX_CURSOR_LENGTH) return undefined
  const end = text.search(/[.~]/)
  const marks = decodeMarks(end < 0 ? '' : text.slice(end))
  const bytes = decodeBase64Url(end < 0 ? text : text.slice(0, end))
  if (marks === undefined || bytes === undefined) return undefined
  if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return undefined
  const view = new DataView(bytes.buffer)
  const bitmap = view.getUint32(1)
  const shards = new Map<number, ShardPosition>()
  let at = HEADER_BYTES
  for (let shard = 0; shard < MAX_SHARDS; shard++) {
    if ((bitmap >>> shard & 1) === 0) continue
    if (at + SHARD_BYTES > bytes.length) return undefined
    const offset = view.getUint16(at + 4) * 2 ** 32 + view.getUint32(at + 6)
    shards.set(shard, { epoch: view.getUint32(at), offset })
    at += SHARD_BYTES
  }
  return at === bytes.length ? { shards, ...marks } : undefined
}

/** Returns the epochs of all shards, in order, as the one text that `subscribed` and `epoch` carry. */
export function encodeEpoch (epochs: readonly number[]): string {
  const view = new DataView(new ArrayBuffer(epochs.length * 4))
  epochs.forEach((epoch, shard) => view.setUint32(shard * 4, epoch))
  return encodeBase64Url(new Uint8Array(view.buffer))
}

/** Reads the epochs of all shards, in order. Returns undefined if the text is not an epoch. */
export function decodeEpoch (text: string): number[] | undefined {
  const bytes = decodeBase64Url(text)
  if (bytes === undefined || bytes.length === 0) return undefined
  if (bytes.length % 4 !== 0 || bytes.length > MAX_SHARDS * 4) return undefined
  const view = new DataView(bytes.buffer)
  return Array.from({ length: bytes.length / 4 }, (_, shard) => view.getUint32(shard * 4))
}
