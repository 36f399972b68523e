import type { BookLevel } from '@tickwire/protocol'
import type { BookEvent } from '../book-event.js'
import { inPart, readLevel, readLevels } from '../levels.js'

/**
 * Reads a frame of the channels `level2` and `level2_batch`: a snapshot or an `l2update`. Returns nothing for
 * other frames.
 */
export function coinbaseLevel2 (frame: Readonly<Record<string, unknown>>): BookEvent[] {
  const { type, product_id: symbol } = frame
  if ((type !== 'snapshot' && type !== 'l2update') || typeof symbol !== 'string') return []
  const sides = type === 'snapshot'
    ? { bids: readLevels(frame['bids']), asks: readLevels(frame['asks']) }
    : readChanges(frame['changes'])
  const { bids, asks } = sides
  if (bids === undefined || asks === undefined) {
    return [{ kind: 'malformed', symbol, detail: `not a ${type}: ${inPart(frame)}` }]
  }
  return [{ kind: type === 'snapshot' ? 'snapshot' : 'update', symbol, bids, asks }]
}

/** Reads changes: side, price, size. */
function readChanges (changes: unknown): { bids?: BookLevel[], asks?: BookLevel[] } {
  if (!Array.isArray(changes)) return {}
  const sides = { bids: [] as BookLevel[], asks: [] as BookLevel[] }
  for (const change of changes as unknown[]) {
    const [side, price, size] = Array.isArray(change) ? change as unknown[] : []
    const level = readLevel(price, size)
    if (level === undefined || (side !== 'buy' && side !== 'sell')) return {}
    sides[side === 'buy' ? 'bids' : 'asks'].push(level)
  }
  return sides
}
