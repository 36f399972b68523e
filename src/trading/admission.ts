import type { OpenOrder, Order, ReplaceCommand, SubmitCommand } from '@tickwire/protocol'
import { fieldsOf } from '../fields-of.js'
import type { Draft } from './draft.js'
import { assetOf } from './exchange-index.js'
import { format, orderNumberFault } from './money.js'
import { awaitsTrigger, isImmediate, leavesOf, reservedFor } from './order.js'
import { entryOf } from './records.js'
import { REASONS } from './rules.js'
import { feeOf } from './settings.js'
import { type ExchangeState, idOf } from './state.js'

/** What is judged of a request whoever fills the orders: the paper exchange, or a broker. */

const PRICES = ['limit_price', 'stop_price'] as const

/** Whether there is such an order, or was one that is remembered. */
export const isKnown = (state: ExchangeState, user: string, id: string): boolean =>
  entryOf(state.orders, id) !== undefined || endedOf(state, user, id) !== undefined

/** Makes the order of a request. The first order of a user opens the account. */
export function newOrder (draft: Draft, user: string, command: SubmitCommand): OpenOrder {
  const { action: _action, ...terms } = command
  draft.account(user)
  return {
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
}

/** What the server that took the request has checked too; here, nothing else may reach an account. */
export function termsFault (order: OpenOrder): string | undefined {
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

export function boundsFault (draft: Draft, order: OpenOrder): string | undefined {
  const { openOrders, positions } = draft.rules.bounds
  const { orders } = draft.index.ofUser(order.user)
  const held = draft.account(order.user).positions
  if (orders.size >= openOrders) return REASONS.ordersBound
  if (order.side === 'sell' || held.length + orders.size < positions) return undefined
  const buying = [...orders.values()].filter(({ side }) => side === 'buy')
  const assets = new Set([...held, ...buying].map(assetOf))
  return assets.size >= positions && !assets.has(assetOf(order)) ? REASONS.positionsBound : undefined
}

/** Returns what an order has not got: the cash that it reserves, or the position that it sells. */
export function shortageOf (draft: Draft, order: OpenOrder): string | undefined {
  if (order.side === 'buy') {
    return draft.freeCash(order).lt(order.reserved) ? REASONS.insufficientCash : undefined
  }
  return draft.freePosition(order).lt(leavesOf(order)) ? REASONS.insufficientPosition : undefined
}

/** Returns an order with new terms, or why it cannot have them. */
export function withTerms (order: OpenOrder, command: ReplaceCommand): OpenOrder | string {
  const { quantity = order.quantity, limit_price: limit, stop_price: stop } = command
  if (order.status === 'pending_new') return REASONS.notDecided
  if (limit !== undefined && order.limit_price === undefined) return REASONS.noLimit
  if (stop !== undefined && order.stop_price === undefined) return REASONS.noStop
  if (stop !== undefined && !awaitsTrigger(order)) return REASONS.wasTriggered
  const fault = numberFault('quantity', quantity) ??
    (limit === undefined ? undefined : numberFault('limit_price', limit)) ??
    (stop === undefined ? undefined : numberFault('stop_price', stop))
  if (fault !== undefined) return fault
  const next: OpenOrder = { ...order, quantity, ...fieldsOf(command, PRICES) }
  if (!leavesOf(next).gt(0)) return REASONS.badQuantity
  return { ...next, reserved: format(reservedFor(next)) }
}

/** Returns an open order of a user. If it is known to have ended, the user is told so. */
export function openOf (draft: Draft, state: ExchangeState, user: string, id: string): OpenOrder | undefined {
  const order = entryOf(state.orders, id)
  if (order !== undefined) return order.user === user ? order : undefined
  const ended = endedOf(state, user, id)
  if (typeof ended === 'object') draft.refuse(user, ended, REASONS.orderEnded)
  return undefined
}

function endedOf (state: ExchangeState, user: string, id: string): Order | string | undefined {
  return entryOf(state.ended, user)?.find(ended => idOf(ended) === id)
}
