import type { BookLevel } from '@tickwire/protocol'
import type { BookEvent } from '../book-event.js'
import { inPart, isObject, readLevel, readLevels } from '../levels.js'

/** The name of a channel of books, with their depth. */
const BOOK_CHANNEL = /^book-\d+$/

/**
 * Reads a frame of version 1 of the feed: `[id, {as, bs} or {a, c} and/or {b, c}, 'book-1000', pair]`.
 * Returns nothing for frames that are not about a book.
 */
export function krakenV1 (frame: unknown): BookEvent[] {
  if (!Array.isArray(frame) || frame.length < 4) return []
  const [channel, symbol] = frame.slice(-2) as unknown[]
  if (typeof channel !== 'string' || !BOOK_CHANNEL.test(channel) || typeof symbol !== 'string') return []
  return [readParts(symbol, frame.slice(1, -2)) ?? malformed(symbol, frame)]
}

const malformed = (symbol: string, written: unknown): BookEvent =>
  ({ kind: 'malformed', symbol, detail: `not a book: ${inPart(written)}` })

function readParts (symbol: string, parts: readonly unknown[]): BookEvent | undefined {
  if (!parts.every(isObject)) return undefined
  // A frame that changes both sides has an object for each.
  const [first = {}] = parts
  const fields = parts.length < 2 ? first : Object.assign({}, ...parts) as Readonly<Record<string, unknown>>
  const isSnapshot = 'as' in fields || 'bs' in fields
  if (!isSnapshot && !('a' in fields) && !('b' in fields)) return undefined
  const bids = readLevels((isSnapshot ? fields['bs'] : fields['b']) ?? [])
  const asks = readLevels((isSnapshot ? fields['as'] : fields['a']) ?? [])
  const checksum = fields['c']
  if (bids === undefined || asks === undefined) return undefined
  const kind = isSnapshot ? 'snapshot' : 'update'
  if (typeof checksum === 'string') return { kind, symbol, bids, asks, checksum }
  // Only a snapshot has no checksum.
  return isSnapshot ? { kind, symbol, bids, asks } : undefined
}

/**
 * Reads a frame of version 2 of the feed, `{channel: 'book', type, data: [{symbol, bids, asks, checksum}]}`,
 * whose numbers are texts by `parseExact`. Returns nothing for frames that are not about a book.
 */
export function krakenV2 (frame: unknown): BookEvent[] {
  if (!isObject(frame) || frame['channel'] !== 'book' || !Array.isArray(frame['data'])) return []
  const { type } = frame
  return frame['data'].flatMap((book: unknown): BookEvent | [] => {
    const symbol = isObject(book) ? book['symbol'] : undefined
    if (!isObject(book) || typeof symbol !== 'string') return []
    const [bids, asks] = [readObjects(book['bids'] ?? []), readObjects(book['asks'] ?? [])]
    const checksum = Number(book['checksum'])
    const isKnown = type === 'snapshot' || type === 'update'
    if (!isKnown || bids === undefined || asks === undefined || !Number.isSafeInteger(checksum)) {
      return malformed(symbol, book)
    }
    return { kind: type, symbol, bids, asks, checksum }
  })
}

function readObjects (levels: unknown): BookLevel[] | undefined {
  if (!Array.isArray(levels)) return undefined
  const read = levels.map((level: unknown) => {
    return isObject(level) ? readLevel(level['price'], level['qty']) : undefined
  })
  return read.every(level => level !== undefined) ? read : undefined
}

/**
 * Reads the depth of a book from the answer to a subscription: `{pair, subscription: {depth}}` in version 1,
 * `{result: {symbol, depth}}` in version 2.
 */
export function krakenDepth (
  frame: unknown
): { readonly symbol: string, readonly depth: number } | undefined {
  if (!isObject(frame)) return undefined
  const { pair, subscription, result } = frame
  const [symbol, asked] = isObject(result) ? [result['symbol'], result] : [pair, subscription]
  const depth = isObject(asked) ? Number(asked['depth']) : NaN
  return typeof symbol === 'string' && Number.isSafeInteger(depth) ? { symbol, depth } : undefined
}
