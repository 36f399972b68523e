import {
  type CancelCommand, type Command, compareDecimals, type OpenOrder, type Order, type ReplaceCommand,
  type SubmitCommand
} from '@tickwire/protocol'
import type { Draft } from './draft.js'
import { assetOf } from './exchange-index.js'
import { arrive, enter } from './matching.js'
import { format, orderNumberFault } from './money.js'
import { awaitsTrigger, isImmediate, leavesOf, messageOf, reservedFor } from './order.js'
import { entryOf } from './records.js'
import { REASONS } from './rules.js'
import { closedReason } from './sessions.js'
import { feeOf } from './settings.js'
import { type ExchangeState, idOf } from './state.js'
import { byNumber } from './symbol-orders.js'

/** Decides about a user's request. */
export function decideRequest (draft: Draft, state: ExchangeState, user: string, command: Command): void {
  switch (command.action) {
    case 'submit_order': return submit(draft, state, user, command)
    case 'cancel_order': return cancel(draft, state, user, command)
    case 'replace_order': return replace(draft, state, user, command)
    case 'reset_account': return reset(draft, user)
  }
}

function submit (draft: Draft, state: ExchangeState, user: string, command: SubmitCommand): void {
  const { order_id: id } = command
  if (entryOf(state.orders, id) !== undefined || endedOf(state, user, id) !== undefined) return
  const { action: _action, ...terms } = command
  const order: OpenOrder = {
    ...terms,
    user,
    number: draft.nextNumber(),
    status: 'pending_new',
    filled_qty: '0',
    notional: '0',
    decimals: 0,
    fills: 0,
    fee_rate: feeOf(draft.rules.fees, command.market),
    reserved: '0',
    created_at: new Date(draft.time).toISOString()
  }
  // The first order opens the account.
  draft.account(user)
  const fault = termsFault(order) ?? boundsFault(draft, order) ?? hoursFault(draft, order)
  if (fault !== undefined) {
    draft.change(order, 'rejected', fault)
    return
  }
  order.reserved = format(reservedFor(order))
  const shortage = shortageOf(draft, order)
  if (shortage !== undefined) draft.change(order, 'rejected', shortage)
  else if (isImmediate(order)) decideNow(draft, order)
  else enter(draft, draft.change(order, 'new'))
}

/** Decides about an order that never rests. It waits only if its book is not known yet. */
function decideNow (draft: Draft, order: OpenOrder): void {
  const book = draft.view.book(order.symbol)
  if (book === undefined) {
    draft.put({ ...order, waiting: true })
    draft.tell(order)
  } else if (book.stale === true) draft.change(order, 'rejected', REASONS.marketStale)
  else arrive(draft, order, book)
}

/** What the server that took the request has checked too; here, nothing else may reach an account. */
function termsFault (order: OpenOrder): string | undefined {
  const { order_type: type, limit_price: limit, stop_price: stop } = order
  const isStop = type === 'stop' || type === 'stop_limit'
  if (isStop && isImmediate(order)) return REASONS.immediateStop
  return numberFault('quantity', order.quantity) ??
    numberFault('limit_price', limit, type === 'limit' || type === 'stop_limit') ??
    numberFault('stop_price', stop, isStop)
}

/** @param isNeeded whether the number must be there; otherwise it must not */
function numberFault (name: string, text: string | undefined, isNeeded = true): string | undefined {
  if (text === undefined) return isNeeded ? `${name} is missing` : undefined
  if (!isNeeded) return `${name} does not belong to this type of order`
  const fault = orderNumberFault(text)
  return fault === undefined ? undefined : `${name} ${fault}`
}

function boundsFault (draft: Draft, order: OpenOrder): string | undefined {
  const { openOrders, positions } = draft.rules.bounds
  const { orders } = draft.index.ofUser(order.user)
  const held = draft.account(order.user).positions
  if (orders.size >= openOrders) return REASONS.ordersBound
  if (order.side === 'sell' || held.length + orders.size < positions) return undefined
  const buying = [...orders.values()].filter(({ side }) => side === 'buy')
  const assets = new Set([...held, ...buying].map(assetOf))
  return assets.size >= positions && !assets.has(assetOf(order)) ? REASONS.positionsBound : undefined
}

function hoursFault (draft: Draft, order: OpenOrder): string | undefined {
  if (draft.isMarketOpen(order.market)) return undefined
  if (isImmediate(order)) return closedReason(draft, order)
  // A day order that comes when the market has closed is for the next day: the close that comes again must
  // not end it.
  if (order.market !== undefined && draft.view.status(order.market)?.status === 'closed') {
    draft.setClosed(order.market, true)
  }
  return undefined
}

/** Returns what an order has not got: the cash that it reserves, or the position that it sells. */
function shortageOf (draft: Draft, order: OpenOrder): string | undefined {
  if (order.side === 'buy') {
    return draft.freeCash(order).lt(order.reserved) ? REASONS.insufficientCash : undefined
  }
  return draft.freePosition(order).lt(leavesOf(order)) ? REASONS.insufficientPosition : undefined
}

function cancel (draft: Draft, state: ExchangeState, user: string, { order_id: id }: CancelCommand): void {
  const order = openOf(draft, state, user, id)
  if (order !== undefined) draft.change(order, 'canceled')
}

function replace (draft: Draft, state: ExchangeState, user: string, command: ReplaceCommand): void {
  const order = openOf(draft, state, user, command.order_id)
  if (order === undefined) return
  const next = withTerms(order, command)
  if (typeof next === 'string') return draft.refuse(user, messageOf(order, draft.time), next)
  const shortage = shortageOf(draft, next)
  if (shortage !== undefined) return draft.refuse(user, messageOf(order, draft.time), shortage)
  if (losesPriority(order, next)) next.number = draft.nextNumber()
  enter(draft, draft.change(next, 'replaced'))
}

/** Returns an order with new terms, or why it cannot have them. */
function withTerms (order: OpenOrder, command: ReplaceCommand): OpenOrder | string {
  const { quantity = order.quantity, limit_price: limit, stop_price: stop } = command
  if (order.status === 'pending_new') return REASONS.notDecided
  if (limit !== undefined && order.limit_price === undefined) return REASONS.noLimit
  if (stop !== undefined && order.stop_price === undefined) return REASONS.noStop
  if (stop !== undefined && !awaitsTrigger(order)) return REASONS.wasTriggered
  const fault = numberFault('quantity', quantity) ??
    (limit === undefined ? undefined : numberFault('limit_price', limit)) ??
    (stop === undefined ? undefined : numberFault('stop_price', stop))
  if (fault !== undefined) return fault
  const next: OpenOrder = {
    ...order,
    quantity,
    ...(limit === undefined ? {} : { limit_price: limit }),
    ...(stop === undefined ? {} : { stop_price: stop })
  }
  if (!leavesOf(next).gt(0)) return REASONS.badQuantity
  return { ...next, reserved: format(reservedFor(next)) }
}

/** A new price or a larger quantity puts an order behind those that are there. */
function losesPriority (before: OpenOrder, after: OpenOrder): boolean {
  const isMoved = (['limit_price', 'stop_price'] as const).some(name =>
    compareDecimals(before[name] ?? '0', after[name] ?? '0') !== 0)
  return isMoved || compareDecimals(after.quantity, before.quantity) > 0
}

/** Returns an open order of a user. If it is known to have ended, the user is told so. */
function openOf (draft: Draft, state: ExchangeState, user: string, id: string): OpenOrder | undefined {
  const order = entryOf(state.orders, id)
  if (order !== undefined) return order.user === user ? order : undefined
  const ended = endedOf(state, user, id)
  if (typeof ended === 'object') draft.refuse(user, ended, REASONS.orderEnded)
  return undefined
}

function endedOf (state: ExchangeState, user: string, id: string): Order | string | undefined {
  return entryOf(state.ended, user)?.find(ended => idOf(ended) === id)
}

/** Cancels all orders of a user, and begins the account anew. */
function reset (draft: Draft, user: string): void {
  const orders = [...draft.index.ofUser(user).orders.values()].sort(byNumber)
  for (const order of orders) draft.change(order, 'canceled', REASONS.accountReset)
  draft.openAccount(user)
}
