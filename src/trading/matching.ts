import type { OpenOrder } from '@tickwire/protocol'
import type { Draft } from './draft.js'
import type { Offer } from './displayed-side.js'
import type { DisplayedBook } from './market-view.js'
import { isTradablePrice, least, type Money, tradableSize, withFee, ZERO } from './money.js'
import { awaitsTrigger, isImmediate, isOpen, leavesOf, type OrderSide, takesAnyPrice } from './order.js'
import { REASONS } from './rules.js'
import { isWithin, type SymbolOrders } from './symbol-orders.js'

const SIDES = ['buy', 'sell'] as const

/**
 * Puts an order into the market that may wait there: a new one, or one with new terms. A stop order waits for
 * its price, any other meets the book as soon as its market is open and its book is sound.
 */
export function enter (draft: Draft, order: OpenOrder): void {
  if (!awaitsTrigger(order)) return meetBook(draft, order)
  const last = draft.view.last(order.symbol)
  if (last !== undefined && draft.isMarketOpen(order.market) && isTriggeredBy(order, last)) {
    trigger(draft, order)
  }
}

/** A book of a symbol has changed. */
export function matchBook (draft: Draft, symbol: string): void {
  const book = draft.soundBook(symbol)
  if (book === undefined) return
  for (const side of SIDES) draft.displayed(symbol, side, book).forgetChanged()
  const orders = draft.index.ofSymbol(symbol)
  if (orders === undefined || !hasOpenMarket(draft, orders)) return
  const waiting = orders.waiting.items
  // Orders without a limit, and those that cannot rest, come first: a better price goes before time.
  for (const order of waiting) if (!mayRest(order)) letMeet(draft, order)
  for (const side of SIDES) fillLimits(draft, symbol, orders, side, book)
  for (const order of waiting) if (mayRest(order)) letMeet(draft, order)
}

/** Somebody has traded. The trade may go through resting orders, and trigger stop orders. */
export function matchTrade (draft: Draft, symbol: string, price: string, size: string): void {
  const orders = draft.index.ofSymbol(symbol)
  if (orders === undefined || !hasOpenMarket(draft, orders)) return
  if (draft.view.book(symbol)?.stale !== true && isTradablePrice(price)) {
    let left = tradableSize(size)
    for (const side of SIDES) left = fillThrough(draft, orders, side, price, left)
  }
  triggerStops(draft, orders, price)
}

/** The last price of a symbol has changed. */
export function matchLast (draft: Draft, symbol: string, price: string): void {
  const orders = draft.index.ofSymbol(symbol)
  if (orders !== undefined && hasOpenMarket(draft, orders)) triggerStops(draft, orders, price)
}

const hasOpenMarket = (draft: Draft, { markets }: SymbolOrders): boolean =>
  [...markets.keys()].some(market => draft.isMarketOpen(market === '' ? undefined : market))

const mayRest = (order: OpenOrder): boolean => !takesAnyPrice(order) && !isImmediate(order)

/** Has an order that waits meet the book, if it still waits. */
function letMeet (draft: Draft, waiting: OpenOrder): void {
  const order = draft.current(waiting)
  if (isOpen(order.status) && order.waiting === true) meetBook(draft, order)
}

/** Has an order arrive at its book, or wait for it. */
function meetBook (draft: Draft, order: OpenOrder): void {
  const book = draft.isMarketOpen(order.market) ? draft.soundBook(order.symbol) : undefined
  if (book !== undefined) arrive(draft, order, book)
  else if (order.waiting !== true) draft.put({ ...order, waiting: true })
}

/** Fills an order from what its book displays, best level first, each at the level's own price. */
export function arrive (draft: Draft, { waiting, ...arriving }: OpenOrder, book: DisplayedBook): void {
  let order: OpenOrder = arriving
  const displayed = draft.displayed(order.symbol, order.side, book)
  const leaves = leavesOf(order)
  const isAnyPrice = takesAnyPrice(order)
  const plan = displayed.plan(leaves, isAnyPrice ? undefined : order.limit_price)
  const isShort = sumOf(plan).lt(leaves)
  const fillsNothing = plan.length === 0 || (isShort && order.time_in_force === 'fok')
  if (isAnyPrice) {
    const fault = fillsNothing ? REASONS.noLiquidity : costFault(draft, order, plan)
    if (fault !== undefined) {
      // A stop order has been accepted long ago, so that it can no longer be rejected.
      draft.change(order, order.status === 'pending_new' ? 'rejected' : 'canceled', fault)
      return
    }
  }
  if (order.status === 'pending_new') order = draft.change(order, 'new')
  if (!fillsNothing) {
    for (const offer of plan) {
      displayed.take(offer)
      order = draft.fill(order, offer.quantity, offer.price)
    }
  }
  if (!isOpen(order.status)) return
  if (isAnyPrice || isImmediate(order)) draft.change(order, 'canceled', REASONS.noLiquidity)
  else draft.put(order)
}

const sumOf = (plan: readonly Offer[]): Money => plan.reduce((sum, { quantity }) => sum.plus(quantity), ZERO)

/** The whole cost is checked before the first fill, because nothing is reserved for an unknown price. */
function costFault (draft: Draft, order: OpenOrder, plan: readonly Offer[]): string | undefined {
  if (order.side === 'sell') return undefined
  const notional = plan.reduce((sum, { price, quantity }) => sum.plus(quantity.times(price)), ZERO)
  return withFee(notional, order.fee_rate).gt(draft.freeCash(order)) ? REASONS.insufficientCash : undefined
}

/**
 * Fills orders that rest from levels that have come as far as their limits, at their limits, by price and
 * then time. An order that has not met the book yet arrives when its turn comes.
 */
function fillLimits (
  draft: Draft, symbol: string, { limits }: SymbolOrders, side: OrderSide, book: DisplayedBook
): void {
  const [best] = side === 'buy' ? book.asks : book.bids
  const [first] = limits[side].items
  // Most changes of a book reach no order.
  if (best === undefined || first === undefined || !isWithin(best[0], first.limit_price!, side)) return
  const displayed = draft.displayed(symbol, side, book)
  for (const known of limits[side].items) {
    let offer = displayed.best()
    if (offer === undefined || !isWithin(offer.price, known.limit_price!, side)) return
    let order = draft.current(known)
    if (!draft.isMarketOpen(order.market)) continue
    if (order.waiting === true) {
      arrive(draft, order, book)
      continue
    }
    while (isOpen(order.status) && offer !== undefined && isWithin(offer.price, order.limit_price!, side)) {
      const quantity = least(offer.quantity, leavesOf(order))
      displayed.take({ price: offer.price, quantity })
      order = draft.fill(order, quantity, order.limit_price!)
      offer = displayed.best()
    }
  }
}

/**
 * Fills resting orders that a trade has gone through, at their limits. An order that has not met the book yet
 * gets the trade's own price, which is better.
 * @param size what the trade still has to give
 * @returns what it has after that
 */
function fillThrough (
  draft: Draft, { limits }: SymbolOrders, side: OrderSide, price: string, size: Money
): Money {
  let left = size
  for (const order of limits[side].items) {
    const limit = order.limit_price!
    if (!left.gt(0) || !isWithin(price, limit, side) || isWithin(limit, price, side)) break
    if (!draft.isMarketOpen(order.market)) continue
    const quantity = least(left, leavesOf(order))
    draft.fill(order, quantity, order.waiting === true ? price : limit)
    left = left.minus(quantity)
  }
  return left
}

function triggerStops (draft: Draft, { stops }: SymbolOrders, price: string): void {
  for (const side of SIDES) {
    for (const order of stops[side].items) {
      if (!isTriggeredBy(order, price)) break
      if (draft.isMarketOpen(order.market)) trigger(draft, order)
    }
  }
}

/** A buy stop triggers at its stop price and above, a sell stop at its stop price and below. */
const isTriggeredBy = ({ stop_price: stop, side }: OpenOrder, price: string): boolean =>
  isWithin(stop!, price, side)

function trigger (draft: Draft, order: OpenOrder): void {
  const triggered: OpenOrder = { ...order, triggered: true }
  draft.put(triggered)
  draft.tell(triggered, { reason: REASONS.triggered })
  meetBook(draft, triggered)
}
