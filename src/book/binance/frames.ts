import type { BookEvent } from '../book-event.js'
import { inPart, isObject, readLevels } from '../levels.js'

/** Reads an event of a stream `<symbol>@depth`. Returns nothing for other events. */
export function binanceDepth (event: unknown): BookEvent[] {
  if (!isObject(event) || event['e'] !== 'depthUpdate' || typeof event['s'] !== 'string') return []
  const { s: symbol, U: first, u: last } = event
  const [bids, asks] = [readLevels(event['b']), readLevels(event['a'])]
  const isGood = bids !== undefined && asks !== undefined && isId(first) && isId(last) && first <= last
  if (!isGood) return [{ kind: 'malformed', symbol, detail: `not an update: ${inPart(event)}` }]
  return [{ kind: 'update', symbol, bids, asks, first, last }]
}

/** Reads the answer to `GET /api/v3/depth`, which does not say of which symbol it is. */
export function binanceSnapshot (symbol: string, answer: unknown): BookEvent {
  const { lastUpdateId: last, bids, asks } = isObject(answer) ? answer : {}
  const sides = { bids: readLevels(bids), asks: readLevels(asks) }
  if (sides.bids === undefined || sides.asks === undefined || !isId(last)) {
    return { kind: 'malformed', symbol, detail: `not a snapshot: ${inPart(answer)}` }
  }
  return { kind: 'snapshot', symbol, bids: sides.bids, asks: sides.asks, last }
}

const isId = (value: unknown): value is number => Number.isSafeInteger(value)
