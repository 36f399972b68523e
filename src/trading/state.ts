import { type Static, Type } from '@sinclair/typebox'
import { Account, Decimal, OpenOrder, Order } from '@tickwire/protocol'
import { entryOf, setEntry } from './records.js'

/** The ids of a user's ended orders that the exchange remembers. */
const REMEMBERED_IDS = 1000
/** Of so many of them it also remembers the last message, to answer requests that came too late. */
const REMEMBERED_MESSAGES = 20

const Name = Type.String()

/**
 * A level of a displayed book of which the exchange has given something out: its price, its displayed size,
 * and how much of that is given out.
 */
const TakenLevel = Type.Tuple([Decimal(), Decimal(), Decimal()])
export type TakenLevel = Static<typeof TakenLevel>

/** The levels of one symbol, best first. */
const TakenBook = Type.Object({ bids: Type.Array(TakenLevel), asks: Type.Array(TakenLevel) })
type TakenBook = Static<typeof TakenBook>

/** An order that is open no more. Its last message is among the decision's. */
const GoneOrder = Type.Object({ order_id: Name, user: Name, gone: Type.Literal(true) })

/**
 * What the exchange has decided about one happening. It is absolute: each part replaces what the state had,
 * so that the state and all messages follow from decisions alone.
 */
export const Decision = Type.Object({
  time: Type.Integer({ description: 'milliseconds since 1970' }),
  /** The messages of `orders`, unsigned, in the order in which users get them. */
  orders: Type.Array(Type.Object({ user: Name, order: Order })),
  open: Type.Array(Type.Union([GoneOrder, OpenOrder])),
  accounts: Type.Array(Type.Object({ user: Name, account: Account })),
  taken: Type.Array(Type.Object({ symbol: Name, ...TakenBook.properties })),
  /** Markets that have closed, or are closed no more. */
  closed: Type.Array(Type.Tuple([Name, Type.Boolean()])),
  number: Type.Integer({ minimum: 0, description: 'of the last accepted order' })
})
export type Decision = Static<typeof Decision>

/** The state of the exchange: plain JSON. */
export interface ExchangeState {
  accounts: Record<string, Account>
  /** Open orders by their id. */
  orders: Record<string, OpenOrder>
  /** By symbol. */
  taken: Record<string, TakenBook>
  /** By user, what is remembered of ended orders, newest last: the last message, or only the id. */
  ended: Record<string, Array<Order | string>>
  /** Markets of which the last status was `closed`. */
  closed: Record<string, true>
  number: number
}

export const initialState = (): ExchangeState =>
  ({ accounts: {}, orders: {}, taken: {}, ended: {}, closed: {}, number: 0 })

/** Applies a decision: changes the state, and returns it. */
export function applyDecision (state: ExchangeState, decision: Decision): ExchangeState {
  const messages = new Map(decision.orders.map(({ order }) => [order.order_id, order]))
  for (const order of decision.open) {
    const { order_id: id, user } = order
    if (!('gone' in order)) setEntry(state.orders, id, order)
    else {
      delete state.orders[id]
      remember(state, user, messages.get(id) ?? id)
    }
  }
  for (const { user, account } of decision.accounts) setEntry(state.accounts, user, account)
  for (const { symbol, bids, asks } of decision.taken) {
    if (bids.length + asks.length === 0) delete state.taken[symbol]
    else setEntry(state.taken, symbol, { bids, asks })
  }
  for (const [market, isClosed] of decision.closed) {
    if (isClosed) setEntry(state.closed, market, true)
    else delete state.closed[market]
  }
  state.number = decision.number
  return state
}

function remember ({ ended }: ExchangeState, user: string, order: Order | string): void {
  let own = entryOf(ended, user)
  if (own === undefined) setEntry(ended, user, own = [])
  own.push(order)
  const older = own.length - 1 - REMEMBERED_MESSAGES
  if (older >= 0) own[older] = idOf(own[older]!)
  if (own.length > REMEMBERED_IDS) own.shift()
}

/** Returns the id of an ended order. */
export const idOf = (ended: Order | string): string => typeof ended === 'string' ? ended : ended.order_id
