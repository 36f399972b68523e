import { ProtocolError } from '@tickwire/protocol'
import { isKept } from '../store/kept-text.js'
import type { FillPlace, FillRow, OrderPlace, OrderRow } from '../store/trading-rows.js'

/**
 * Where a reader of orders or fills stands, behind one of them. Clients get it as text, and only servers read
 * it.
 */

const MAX_TEXT = 400

/** Ids are ordered by their code points, as in the store. */
const compareIds = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** How one kind of rows is ordered, and where a reader of them stands. */
export interface RowOrder<Row extends Place, Place> {
  /** The newest first: less than 0 if `a` comes before `b`. */
  compare (a: Place, b: Place): number
  placeOf (row: Row): Place
  format (place: Place): string
  /** @throws ProtocolError `bad_request` for a text that no server gave */
  parse (text: string): Place
}

export const orderOrder: RowOrder<OrderRow, OrderPlace> = {
  compare: (a, b) => b.created_at - a.created_at || compareIds(b.order_id, a.order_id),
  placeOf: ({ created_at: createdAt, order_id: id }) => ({ created_at: createdAt, order_id: id }),
  format: ({ created_at: createdAt, order_id: id }) => formatText([createdAt, id]),
  parse (text) {
    const [createdAt, id] = parseText(text, [isNumber, isId]) as [number, string]
    return { created_at: createdAt, order_id: id }
  }
}

export const fillOrder: RowOrder<FillRow, FillPlace> = {
  compare: (a, b) => b.time - a.time || b.sequence - a.sequence || compareIds(b.exec_id, a.exec_id),
  placeOf: ({ time, sequence, exec_id: id }) => ({ time, sequence, exec_id: id }),
  format: ({ time, sequence, exec_id: id }) => formatText([time, sequence, id]),
  parse (text) {
    const [time, sequence, id] = parseText(text, [isNumber, isNumber, isId]) as [number, number, string]
    return { time, sequence, exec_id: id }
  }
}

const formatText = (parts: ReadonlyArray<number | string>): string =>
  Buffer.from(JSON.stringify(parts)).toString('base64url')

const isNumber = (part: unknown): boolean => Number.isSafeInteger(part)
const isId = (part: unknown): boolean => typeof part === 'string' && isKept(part)

/** @param kinds tells what each part must be */
function parseText (text: string, kinds: ReadonlyArray<(part: unknown) => boolean>): readonly unknown[] {
  const parts = text.length > MAX_TEXT ? undefined : readJson(Buffer.from(text, 'base64url').toString())
  const fits = Array.isArray(parts) && parts.length === kinds.length && formatText(parts) === text &&
    kinds.every((holds, index) => holds(parts[index]))
  if (fits) return parts as readonly unknown[]
  throw new ProtocolError('bad_request', "'after' is not a position that this endpoint gave as 'next'")
}

function readJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Joins the rows of the store with those of the log, which are newer.
 * @param stored reads rows of the store behind a place
 * @param fresh the log's rows that were asked for
 * @param isReplaced whether the log has a newer row of the same key, be it asked for or not
 * @returns the first `limit` rows behind a place
 */
export async function joinRows<Row extends Place, Place> (
  order: RowOrder<Row, Place>,
  stored: (after: Place | undefined, limit: number) => Promise<readonly Row[]>,
  fresh: readonly Row[],
  isReplaced: (row: Row) => boolean,
  after: Place | undefined,
  limit: number
): Promise<readonly Row[]> {
  const rows = fresh.filter(row => after === undefined || order.compare(row, after) > 0)
  const found: Row[] = []
  for (let place = after; ;) {
    const page = await stored(place, limit)
    found.push(...page.filter(row => !isReplaced(row)))
    if (page.length < limit || found.length >= limit) break
    place = order.placeOf(page.at(-1)!)
  }
  return [...rows, ...found].sort((a, b) => order.compare(a, b)).slice(0, limit)
}
