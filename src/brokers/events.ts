import type { OpenOrder, OrderStatus } from '@tickwire/protocol'
import { fieldsOf } from '../fields-of.js'
import { heldOf } from '../trading/account.js'
import type { Draft } from '../trading/draft.js'
import { fitsMoney, money, orderNumberFault } from '../trading/money.js'
import { isOpen, leavesOf, messageOf } from '../trading/order.js'
import { entryOf } from '../trading/records.js'
import { REASONS } from '../trading/rules.js'
import type { BrokerEvent } from './broker.js'
import {
  atBroker, isBeingCanceled, isReplace, MOST_CHANGES, TERMS, withAnswer, withBrokerTerms, withMove,
  withoutAsk, withReserved
} from './order-asks.js'
import { shortened } from './reason.js'
import { type BrokerState, executionsOf } from './state.js'

type Event<Kind> = Extract<BrokerEvent, { type: Kind }>

/**
 * Decides about what the broker says of an order that the server knows. An event that has come before
 * changes nothing.
 * @returns why the event cannot be true; it then changes nothing
 */
export function decideEvent (draft: Draft, state: BrokerState, event: BrokerEvent): string | undefined {
  const order = entryOf(state.orders, event.order_id)
  if (order === undefined) return endedFault(state, event)
  switch (event.type) {
    case 'accepted':
      if (order.status === 'pending_new') pendCancel(draft, accept(draft, order))
      return undefined
    case 'rejected':
      // Once it was accepted an order can be rejected no more.
      end(draft, order, order.status === 'pending_new' ? 'rejected' : 'canceled', event.reason)
      return undefined
    case 'filled': return fill(draft, order, event)
    case 'canceled':
      end(draft, order, 'canceled', event.reason)
      return undefined
    case 'expired':
      end(draft, accept(draft, order), 'expired', event.reason)
      return undefined
    case 'replaced': return replaced(draft, order, event)
    case 'refused':
      refused(draft, order, event)
      return undefined
  }
}

/** Whether an event is of an order that the server does not know, and has not forgotten either. */
export const isStranger = (state: BrokerState, { order_id: id }: BrokerEvent): boolean =>
  entryOf(state.orders, id) === undefined && executionsOf(state, id) === undefined

/** An order that has ended may get events again that it had before, but no others. */
function endedFault (state: BrokerState, event: BrokerEvent): string | undefined {
  const executions = executionsOf(state, event.order_id) ?? []
  return event.type !== 'filled' || executions.includes(event.execution_id)
    ? undefined
    : 'the order has ended without this fill'
}

/** Any event but a rejection says that the broker has accepted the order. */
const accept = (draft: Draft, order: OpenOrder): OpenOrder =>
  order.status === 'pending_new' ? draft.change(order, 'new') : order

function fill (draft: Draft, order: OpenOrder, event: Event<'filled'>): string | undefined {
  const { executions } = atBroker(order)
  if (executions.includes(event.execution_id)) return undefined
  const fault = countFault(executions.length, 'fills') ?? fillFault(draft, order, event)
  if (fault !== undefined) return fault
  const before = accept(draft, order)
  const broker = { ...atBroker(before), executions: [...executions, event.execution_id] }
  const filled = draft.fill({ ...before, broker }, money(event.quantity), event.price, money(event.fee))
  if (!isOpen(filled.status)) answerAsks(draft, filled)
  else {
    const next = withReserved(filled, before)
    draft.put(next)
    pendCancel(draft, next)
  }
  return undefined
}

function fillFault (draft: Draft, order: OpenOrder, event: Event<'filled'>): string | undefined {
  const { quantity, price, fee } = event
  for (const [name, text] of Object.entries({ quantity, price })) {
    const fault = orderNumberFault(text)
    if (fault !== undefined) return `the ${name} ${fault}`
  }
  if (!fitsMoney(fee)) return 'the fee has too many digits'
  const leaves = leavesOf(order)
  if (money(quantity).gt(leaves)) return `only ${leaves.toFixed()} of the order are left to fill`
  if (order.side === 'buy') return undefined
  const held = heldOf(draft.account(order.user), order.symbol, order.currency)
  return money(quantity).gt(held) ? `the user has only ${held.toFixed()} to sell` : undefined
}

function replaced (draft: Draft, order: OpenOrder, event: Event<'replaced'>): string | undefined {
  const { request_id: id } = event
  const { asks, answered, moves = [] } = atBroker(order)
  // If a replacement comes again, the order may have other terms by now.
  if (isDone(order, event)) return undefined
  const fault = countFault(answered.length + moves.length, 'replacements')
  if (fault !== undefined) return fault
  // If the log has lost the request, the broker has not.
  const ask = asks.filter(isReplace).find(({ request_id: own }) => own === id)
  const terms = { ...ask === undefined ? {} : fieldsOf(ask, TERMS), ...fieldsOf(event, TERMS) }
  const known = withDone(order, event)
  const next = withBrokerTerms(known.status === 'pending_new' ? { ...known, status: 'new' } : known, terms)
  if (typeof next === 'string') return next
  if (order.status === 'pending_new') draft.change(known, 'new')
  pendCancel(draft, draft.change(next, 'replaced'))
  return undefined
}

/** What is forgotten could count again, so an order may not have more than is remembered. */
const countFault = (known: number, things: string): string | undefined =>
  known < MOST_CHANGES ? undefined : `the order has had ${known} ${things}, the most that one may have`

function isDone (order: OpenOrder, { request_id: id, position }: Event<'replaced'>): boolean {
  const { answered, moves = [] } = atBroker(order)
  return id === undefined ? position !== undefined && moves.includes(position) : answered.includes(id)
}

function withDone (order: OpenOrder, { request_id: id, position }: Event<'replaced'>): OpenOrder {
  if (id !== undefined) return withAnswer(order, id)
  return position === undefined ? order : withMove(order, position)
}

function refused (draft: Draft, order: OpenOrder, event: Event<'refused'>): void {
  const { request_id: id, reason = 'the broker has refused the request' } = event
  const ask = atBroker(order).asks.find(({ request_id: own }) => own === id)
  if (ask === undefined) return
  const { before } = atBroker(order)
  const next = withoutAsk(order, id)
  if (ask.action === 'cancel' && order.status === 'pending_cancel' && before !== undefined) {
    draft.change(next, before, shortened(reason))
    return
  }
  draft.put(next)
  draft.refuse(order.user, messageOf(next, draft.time), shortened(reason))
}

/** Ends an order, and answers what was asked about it and cannot be done any more. */
function end (draft: Draft, order: OpenOrder, status: OrderStatus, reason: string | undefined): void {
  answerAsks(draft, draft.change(order, status, reason === undefined ? undefined : shortened(reason)))
}

function answerAsks (draft: Draft, order: OpenOrder): void {
  for (const { action } of atBroker(order).asks) {
    if (action === 'cancel' && order.status === 'canceled') continue
    draft.refuse(order.user, messageOf(order, draft.time), REASONS.orderEnded)
  }
}

/** Says that an order is being canceled, after whatever else has become of it. */
export function pendCancel (draft: Draft, order: OpenOrder): void {
  const { status } = order
  if (!isBeingCanceled(order) || status === 'pending_new' || status === 'pending_cancel') return
  draft.change({ ...order, broker: { ...atBroker(order), before: status } }, 'pending_cancel')
}
