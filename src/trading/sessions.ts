import type { OpenOrder } from '@tickwire/protocol'
import type { Draft } from './draft.js'
import type { ExchangeIndex } from './exchange-index.js'
import { matchBook, matchLast } from './matching.js'
import { dayOf } from './portfolio.js'
import { REASONS } from './rules.js'
import type { ExchangeState } from './state.js'
import { byNumber } from './symbol-orders.js'

/** The most accounts whose worth one decision notes, so that it stays a message of a bearable size. */
const ACCOUNTS_AT_A_TIME = 500

/** Returns why a market that is not open takes no order that must be filled at once. */
export function closedReason (draft: Draft, { market }: OpenOrder): string {
  switch (draft.view.status(market)?.status) {
    case 'closed': return REASONS.marketClosed
    case 'halted': return REASONS.marketHalted
    case 'pre_open': return REASONS.marketNotOpen
    default: return REASONS.marketStale
  }
}

/** The status of a market has changed, or was said again. */
export function changeMarket (draft: Draft, state: ExchangeState, market: string): void {
  const isClosed = draft.view.status(market)?.status === 'closed'
  const hasClosed = isClosed && !draft.isKnownClosed(market)
  draft.setClosed(market, isClosed)
  if (hasClosed) {
    const ofDay = Object.values(state.orders).filter(order =>
      order.market === market && order.time_in_force === 'day' && order.status !== 'pending_new')
    for (const order of ofDay.sort(byNumber)) draft.change(order, 'expired', REASONS.marketClosed)
  }
  if (!draft.isMarketOpen(market)) return
  // Orders that came meanwhile now meet their books.
  for (const symbol of draft.index.symbolsOf(market)) {
    matchBook(draft, symbol)
    const last = draft.view.last(symbol)
    if (last !== undefined) matchLast(draft, symbol, last)
  }
}

/** Time has passed: orders may have waited too long for a book, and days may be over. */
export function passTime (draft: Draft, state: ExchangeState): void {
  const { index, time, view } = draft
  for (const order of index.tooLong(time)) {
    const isMarketOpen = draft.isMarketOpen(order.market)
    draft.change(order, 'rejected', isMarketOpen ? REASONS.noBook : closedReason(draft, order))
  }
  for (const order of index.overdue(time)) {
    if (view.status(order.market) === undefined) draft.change(order, 'expired', REASONS.endOfDay)
  }
  index.passed = Math.max(index.passed, time)
  noteDays(draft, state)
}

/**
 * Returns when time is due for a ledger: now, if the values of accounts are not noted yet for this day.
 * @param next when it is due otherwise @param now milliseconds since 1970
 */
export function dueAt (index: ExchangeIndex, next: number | undefined, now: number): number | undefined {
  const isDayNoted = index.notedDay !== undefined && index.notedDay >= dayOf(now)
  return next === undefined || isDayNoted || !index.hasHolders ? next : now
}

/** Notes what accounts with positions are worth as the day begins. All others are worth what they were. */
export function noteDays (draft: Draft, { accounts }: ExchangeState): void {
  const { index, time } = draft
  const today = dayOf(time)
  if (index.notedDay !== undefined && index.notedDay >= today) return
  const waiting = Object.entries(accounts)
    .filter(([, { positions, day }]) => positions.length > 0 && (day === undefined || day.date < today))
  for (const [user] of waiting.slice(0, ACCOUNTS_AT_A_TIME)) draft.noteDay(user)
  if (waiting.length === 0) index.notedDay = today
}
