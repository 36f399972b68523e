import type { OpenOrder, ReplaceCommand } from '@tickwire/protocol'
import { withTerms } from '../trading/admission.js'
import type { Draft } from '../trading/draft.js'
import { assetOf } from '../trading/exchange-index.js'
import { format, isTradablePrice, money, type Money, quotient, withFee, ZERO } from '../trading/money.js'
import { leavesOf, reservedFor } from '../trading/order.js'

type AtBroker = NonNullable<OpenOrder['broker']>
type Ask = AtBroker['asks'][number]
type ReplaceAsk = Extract<Ask, { action: 'replace' }>

/** The fields of a replacement that are terms of the order. */
export const TERMS = ['quantity', 'limit_price', 'stop_price'] as const

/** The most fills, and the most replacements, of an order: it is journaled whole at each change. */
export const MOST_CHANGES = 1000

export const NOTHING: AtBroker = { executions: [], asks: [], answered: [] }

/** What an order has of the broker's. */
export const atBroker = ({ broker = NOTHING }: OpenOrder): AtBroker => broker

export const isReplace = (ask: Ask): ask is ReplaceAsk => ask.action === 'replace'

/** Whether the broker was asked to cancel an order, and has not answered. */
export const isBeingCanceled = (order: OpenOrder): boolean =>
  atBroker(order).asks.some(({ action }) => action === 'cancel')

export const withAsk = (order: OpenOrder, ask: Ask): OpenOrder =>
  withAsks(order, [...atBroker(order).asks, ask])

/** Returns an order of which the broker has answered a request. */
export const withoutAsk = (order: OpenOrder, id: string): OpenOrder =>
  withAsks(order, atBroker(order).asks.filter(({ request_id: own }) => own !== id))

/** Returns an order that the broker has replaced as a request wanted. */
export function withAnswer (order: OpenOrder, id: string): OpenOrder {
  const next = withoutAsk(order, id)
  return { ...next, broker: { ...atBroker(next), answered: [...atBroker(next).answered, id] } }
}

/** Returns an order that the broker has replaced by itself. @param position of the event that says so */
export const withMove = (order: OpenOrder, position: string): OpenOrder =>
  ({ ...order, broker: { ...atBroker(order), moves: [...atBroker(order).moves ?? [], position] } })

/** What an order reserves follows from what is asked about it. */
const withAsks = (order: OpenOrder, asks: Ask[]): OpenOrder =>
  withReserved({ ...order, broker: { ...atBroker(order), asks } }, order)

const hasPrice = ({ limit_price: limit, stop_price: stop }: OpenOrder): boolean =>
  limit !== undefined || stop !== undefined

/** Returns an order with the terms that it has, and with those that it may get. */
const possible = (order: OpenOrder): OpenOrder[] =>
  [order, ...atBroker(order).asks.filter(isReplace).map(ask => withAsked(order, ask))]

const withAsked = (order: OpenOrder, { action: _action, request_id: _id, ...terms }: ReplaceAsk): OpenOrder =>
  ({ ...order, ...terms })

const most = (amounts: Money[]): Money => amounts.reduce((a, b) => b.gt(a) ? b : a)

/** Returns the most that may be left to fill of an order. */
const mostLeft = (order: OpenOrder): Money => most(possible(order).map(leavesOf))

/**
 * Returns the cash that a new order reserves. A market order has no price, so the last one counts: the broker
 * may fill it at a worse one.
 */
export function firstReserved (order: OpenOrder, last: string | undefined): Money {
  if (hasPrice(order) || order.side === 'sell') return reservedFor(order)
  return last === undefined || !isTradablePrice(last)
    ? ZERO
    : withFee(leavesOf(order).times(last), order.fee_rate)
}

/**
 * Returns an order after a change with the cash that it reserves: for the terms that it has or may get,
 * whichever costs more. A market order goes on to reserve as much for each unit as before.
 * @param before the order before the change
 */
export function withReserved (order: OpenOrder, before: OpenOrder): OpenOrder {
  const reserved = hasPrice(order)
    ? most(possible(order).map(reservedFor))
    : quotient(money(before.reserved).times(mostLeft(order)), mostLeft(before))
  return { ...order, reserved: format(reserved) }
}

/**
 * Returns an order with the terms that its user wants, and what it would reserve with them; or why it cannot
 * have them. More of a market order reserves the last price for all of it, if that is more than before.
 * @param last the last price; undefined if nobody knows one
 */
export function withWantedTerms (
  order: OpenOrder, command: ReplaceCommand, last: string | undefined
): OpenOrder | string {
  const next = withTerms(order, command)
  if (typeof next === 'string' || hasPrice(next)) return next
  const scaled = withReserved(next, order)
  if (leavesOf(next).lte(leavesOf(order))) return scaled
  return { ...scaled, reserved: format(most([money(scaled.reserved), firstReserved(next, last)])) }
}

/** Returns an order that reserves cash for its own terms and for other ones, whichever costs more. */
export const reservingFor = (order: OpenOrder, wanted: OpenOrder): OpenOrder =>
  ({ ...order, reserved: format(most([money(order.reserved), money(wanted.reserved)])) })

/**
 * Returns what other orders of a user may sell of the same position beyond their present terms, if the broker
 * replaces them as it was asked to.
 */
export function mayBeSold (draft: Draft, order: OpenOrder): Money {
  let sum = ZERO
  const asset = assetOf(order)
  for (const other of draft.index.ofUser(order.user).orders.values()) {
    if (other.order_id === order.order_id || other.side !== 'sell' || assetOf(other) !== asset) continue
    for (const { quantity } of atBroker(other).asks.filter(isReplace)) {
      const more = money(quantity).minus(other.quantity)
      if (more.gt(0)) sum = sum.plus(more)
    }
  }
  return sum
}

/** Returns an order with the terms that a broker has given it, or why it cannot have them. */
export function withBrokerTerms (
  order: OpenOrder, terms: Partial<Pick<ReplaceAsk, typeof TERMS[number]>>
): OpenOrder | string {
  const command = { action: 'replace_order', request_id: '', order_id: order.order_id, ...terms } as const
  const next = withTerms(order, command)
  return typeof next === 'string' ? next : withReserved(next, order)
}
