import { decodeBase64Url, encodeBase64Url } from './base64url.js'
import { isChannelName } from './topic.js'

/**
 * Cursors and epochs as text. Clients hold both as opaque; only servers read them.
 *
 * A cursor is base64url of: version (1 byte), the shards that it holds (a bitmap of 4 bytes), and for each of
 * them, in order, epoch (4 bytes) and offset (6 bytes); then its marks. A mark `.r` and an offset in base 36 say that the client
 * may hold topics that the log lost (see {@link CursorMarks.lostTopics}); `~quotes~book` names the channels that were
 * throttled, `~~` stands for all where their names would not fit.
 */
export const MAX_SHARDS = 32
export const MAX_CURSOR_LENGTH = 512
export const MAX_OFFSET = 2 ** 48 - 1
export const MAX_EPOCH = 2 ** 32 - 1

/** Where one shard was read up to: `offset` is that of the last message that was sent, 0 before the first. */
export interface ShardPosition {
  /** Names one stretch of the log's life: 32 bits, opaque. */
  readonly epoch: number
  readonly offset: number
}

/** What must be known of the client beside its position. */
export interface CursorMarks {
  /**
   * The client resumed from a position that was lost, so it may hold topics that the log does not have any
   * more: a topic born after this offset gets a `reset` first (PROTOCOL.md, Terms: symbol set); those that were there had
   * theirs. Of several shards it is the least. Undefined where no position was lost.
   */
  readonly lostTopics: number | undefined
  /** Channels of which it had not been sent every message: they resume by snapshot. */
  readonly throttled: ThrottledChannels
}

/** Names of channels; `all` where they are too many to be named. */
export type ThrottledChannels = 'all' | ReadonlySet<string>

export interface Cursor extends CursorMarks {
  /** By shard; a shard that is absent counts as not subscribed before. */
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

export function encodeCursor (cursor: Cursor): string {
  return encodePositions(cursor.shards) + encodeMarks(cursor)
}

/** The first part of a cursor, which is the same for all who stand there. */
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

/** The second part of a cursor, which is the client's own; mostly empty. */
export function encodeMarks ({ lostTopics, throttled }: CursorMarks): string {
  const lost = lostTopics === undefined ? '' : LOST_TOPICS + lostTopics.toString(36)
  const named = throttled === 'all' ? THROTTLED + THROTTLED : [...throttled].sort().map(channel => THROTTLED + channel).join('')
  return lost + (lost.length + named.length > MAX_MARKS_LENGTH ? THROTTLED + THROTTLED : named)
}

/** Undefined where the text is not what {@link encodeMarks} writes: one cursor has one spelling. */
function decodeMarks (text: string): CursorMarks | undefined {
  const [, lost, named = ''] = MARKS.exec(text)!
  const lostTopics = lost === undefined ? undefined : Number.parseInt(lost, 36)
  const throttled = named === THROTTLED + THROTTLED ? 'all' : new Set(named.split(THROTTLED).slice(1))
  if (throttled !== 'all' && ![...throttled].every(isChannelName)) return undefined
  return encodeMarks({ lostTopics, throttled }) === text ? { lostTopics, throttled } : undefined
}

/** Undefined where the text is not a cursor. */
export function decodeCursor (text: string): Cursor | undefined {
  if (text.length > MAX_CURSOR_LENGTH) return undefined
  const end = text.search(/[.~]/)
  const marks = decodeMarks(end < 0 ? '' : text.slice(end))
  const bytes = decodeBase64Url(end < 0 ? text : text.slice(0, end))
  if (marks === undefined || bytes === undefined || bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return undefined
  const view = new DataView(bytes.buffer)
  const bitmap = view.getUint32(1)
  const shards = new Map<number, ShardPosition>()
  let at = HEADER_BYTES
  for (let shard = 0; shard < MAX_SHARDS; shard++) {
    if ((bitmap >>> shard & 1) === 0) continue
    if (at + SHARD_BYTES > bytes.length) return undefined
    shards.set(shard, { epoch: view.getUint32(at), offset: view.getUint16(at + 4) * 2 ** 32 + view.getUint32(at + 6) })
    at += SHARD_BYTES
  }
  return at === bytes.length ? { shards, ...marks } : undefined
}

/** The epochs of all shards, in order, as the one text that `subscribed` and `epoch` carry. */
export function encodeEpoch (epochs: readonly number[]): string {
  const view = new DataView(new ArrayBuffer(epochs.length * 4))
  epochs.forEach((epoch, shard) => view.setUint32(shard * 4, epoch))
  return encodeBase64Url(new Uint8Array(view.buffer))
}

/** Undefined where the text is not an epoch. */
export function decodeEpoch (text: string): number[] | undefined {
  const bytes = decodeBase64Url(text)
  if (bytes === undefined || bytes.length === 0 || bytes.length % 4 !== 0 || bytes.length > MAX_SHARDS * 4) return undefined
  const view = new DataView(bytes.buffer)
  return Array.from({ length: bytes.length / 4 }, (_, shard) => view.getUint32(shard * 4))
}
