import {
  type CancelCommand, type Command, compareDecimals, type OpenOrder, type ReplaceCommand, type SubmitCommand
} from '@tickwire/protocol'
import { boundsFault, isKnown, newOrder, openOf, shortageOf, termsFault, withTerms } from './admission.js'
import type { Draft } from './draft.js'
import { arrive, enter } from './matching.js'
import { format } from './money.js'
import { isImmediate, messageOf, reservedFor } from './order.js'
import { REASONS } from './rules.js'
import { closedReason } from './sessions.js'
import type { ExchangeState } from './state.js'
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
  if (isKnown(state, user, command.order_id)) return
  const order = newOrder(draft, user, command)
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

/** A new price or a larger quantity puts an order behind those that are there. */
function losesPriority (before: OpenOrder, after: OpenOrder): boolean {
  const isMoved = (['limit_price', 'stop_price'] as const).some(name =>
    compareDecimals(before[name] ?? '0', after[name] ?? '0') !== 0)
  return isMoved || compareDecimals(after.quantity, before.quantity) > 0
}

/** Cancels all orders of a user, and begins the account anew. */
function reset (draft: Draft, user: string): void {
  const orders = [...draft.index.ofUser(user).orders.values()].sort(byNumber)
  for (const order of orders) draft.change(order, 'canceled', REASONS.accountReset)
  draft.openAccount(user)
}
