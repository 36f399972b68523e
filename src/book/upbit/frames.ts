import type { BookLevel } from '@tickwire/protocol'
import type { BookEvent } from '../book-event.js'
import { inPart, isObject, readLevel } from '../levels.js'

/**
 * Reads a frame of the type `orderbook`, whose numbers are texts by `parseExact`. Each has all levels that
 * Upbit shows, so each is a snapshot. Returns nothing for other frames.
 */
export function upbitOrderbook (frame: Readonly<Record<string, unknown>>): BookEvent[] {
  const { type, code: symbol, orderbook_units: units } = frame
  if (type !== 'orderbook' || typeof symbol !== 'string') return []
  const bids: BookLevel[] = []
  const asks: BookLevel[] = []
  let isGood = Array.isArray(units)
  for (const unit of isGood ? units as unknown[] : []) {
    const fields = isObject(unit) ? unit : {}
    const bid = readLevel(fields['bid_price'], fields['bid_size'])
    const ask = readLevel(fields['ask_price'], fields['ask_size'])
    isGood &&= bid !== undefined && ask !== undefined
    // Where a side has fewer levels than the other, zeros fill it.
    if (bid !== undefined && !isZero(bid)) bids.push(bid)
    if (ask !== undefined && !isZero(ask)) asks.push(ask)
  }
  if (!isGood) return [{ kind: 'malformed', symbol, detail: `not an orderbook: ${inPart(frame)}` }]
  return [{ kind: 'snapshot', symbol, bids, asks }]
}

const isZero = ([price]: BookLevel): boolean => /^[0.]+$/.test(price)
