import { decodeBase64Url, encodeBase64Url } from './base64url.js'

/**
 * Cursors and epochs as text. Clients hold both as opaque; only servers read them.
 *
 * A cursor is base64url of: version (1 byte), the shards that it holds (a bitmap of 4 bytes), and for each of
 * them, in order, epoch (4 bytes) and offset (6 bytes). A suffix `.r` says that the client may hold topics that
 * the log lost (see {@link Cursor.lostTopics}).
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

export interface Cursor {
  /** By shard; a shard that is absent counts as not subscribed before. */
  readonly shards: ReadonlyMap<number, ShardPosition>
  /**
   * The client resumed from a position that was lost, so it may hold topics that the log does not have any
   * more: a topic born after this cursor gets a `reset` first (PROTOCOL.md, Terms: symbol set).
   */
  readonly lostTopics: boolean
}

const VERSION = 1
const HEADER_BYTES = 5
const SHARD_BYTES = 10
const LOST_TOPICS = '.r'

export function encodeCursor (cursor: Cursor): string {
  const bytes = new Uint8Array(HEADER_BYTES + cursor.shards.size * SHARD_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, VERSION)
  let bitmap = 0
  let at = HEADER_BYTES
  for (let shard = 0; shard < MAX_SHARDS; shard++) {
    const position = cursor.shards.get(shard)
    if (position === undefined) continue
    bitmap |= 1 << shard
    view.setUint32(at, position.epoch)
    view.setUint16(at + 4, Math.floor(position.offset / 2 ** 32))
    view.setUint32(at + 6, position.offset % 2 ** 32)
    at += SHARD_BYTES
  }
  view.setUint32(1, bitmap >>> 0)
  return encodeBase64Url(bytes) + (cursor.lostTopics ? LOST_TOPICS : '')
}

/** Undefined where the text is not a cursor. */
export function decodeCursor (text: string): Cursor | undefined {
  if (text.length > MAX_CURSOR_LENGTH) return undefined
  const lostTopics = text.endsWith(LOST_TOPICS)
  const bytes = decodeBase64Url(lostTopics ? text.slice(0, -LOST_TOPICS.length) : text)
  if (bytes === undefined || bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return undefined
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
  return at === bytes.length ? { shards, lostTopics } : undefined
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
