import { type Static, Type } from '@sinclair/typebox'
import { Decimal, type OpenOrder } from '@tickwire/protocol'

/** The longest reason that a user is told; the rest of a longer one is cut off. */
export const MAX_REASON = 256
/** The longest position that a broker may have its events go on after. */
export const MAX_POSITION = 1024
const Id = (): ReturnType<typeof Type.String> => Type.String({ minLength: 1, maxLength: 128 })
const closed = { additionalProperties: false } as const

/** What a broker gets of an order. */
export const ORDER_FIELDS = [
  'order_id', 'user', 'symbol', 'market', 'currency', 'side', 'order_type', 'time_in_force', 'quantity',
  'limit_price', 'stop_price', 'created_at'
] as const

/** An order, as a broker gets it. Decimals are texts, times ISO 8601 in UTC. */
export type BrokerOrder = Readonly<Pick<OpenOrder, typeof ORDER_FIELDS[number]>>

export interface BrokerCancel {
  readonly order_id: string
  /** Names the request among those of the order's user. */
  readonly request_id: string
}

/** New terms of an order. They are whole: what does not change is there, too. */
export interface BrokerReplace extends BrokerCancel {
  /** Of the whole order: what is filled counts. */
  readonly quantity: string
  readonly limit_price?: string
  readonly stop_price?: string
}

const common = {
  /** The id with which the order was submitted. */
  order_id: Id(),
  /**
   * Where this event stands among all of the broker: `events` goes on after it. Absent from an event after
   * which it cannot go on.
   */
  position: Type.Optional(Type.String({ maxLength: MAX_POSITION }))
}
const reason = { reason: Type.Optional(Type.String()) }

/** What a broker says of an order that it was given. */
export const BrokerEvent = Type.Union([
  Type.Object({ type: Type.Literal('accepted'), ...common }, closed),
  Type.Object({ type: Type.Literal('rejected'), ...common, ...reason }, closed),
  Type.Object({
    type: Type.Literal('filled'),
    ...common,
    /** Names this fill among those of the order: an event with the same id is the same fill. */
    execution_id: Id(),
    /** Of this fill. */
    quantity: Decimal(),
    price: Decimal(),
    /** In the currency of the order; below zero if the broker pays. */
    fee: Decimal()
  }, closed),
  Type.Object({ type: Type.Literal('canceled'), ...common, ...reason }, closed),
  Type.Object({ type: Type.Literal('expired'), ...common, ...reason }, closed),
  Type.Object({
    type: Type.Literal('replaced'),
    ...common,
    /**
     * The request that it answers; absent if the broker has changed the order by itself. Such a change is
     * known by its position if it comes again; without one it is a new one each time.
     */
    request_id: Type.Optional(Id()),
    /** The terms that the order has now. What is absent is as the request wanted it, or as it was. */
    quantity: Type.Optional(Decimal()),
    limit_price: Type.Optional(Decimal()),
    stop_price: Type.Optional(Decimal())
  }, closed),
  /** A cancel or a replacement cannot be done. The order stays as it is. */
  Type.Object({ type: Type.Literal('refused'), ...common, request_id: Id(), ...reason }, closed)
])
export type BrokerEvent = Static<typeof BrokerEvent>

/**
 * The broker has said no, for good: the order is rejected, or the cancel or the replacement refused. Any
 * other error means that the broker may not have got what it was given, and gets it again.
 */
export class BrokerRefusal extends Error {
  override readonly name = 'BrokerRefusal'
}

/**
 * Fills the orders of users in place of the paper exchange. The server journals each request before it gives
 * it to the broker, and gives it again until the broker has answered by an event: after an error, after a
 * restart, and from another server. So a broker must take everything any number of times.
 *
 * Requests about one order come one after another, those about different orders at the same time. A request
 * that has not settled when its signal aborts counts as failed.
 */
export interface Broker {
  /**
   * Takes an order, unless the broker has one of this `order_id` already.
   * @throws BrokerRefusal if it never will; its message is the reason, and is shown to the user
   */
  submit (order: BrokerOrder, signal: AbortSignal): Promise<void>
  /** Begins to cancel an order. @throws BrokerRefusal */
  cancel (request: BrokerCancel, signal: AbortSignal): Promise<void>
  /** Begins to give an order new terms. @throws BrokerRefusal */
  replace (request: BrokerReplace, signal: AbortSignal): Promise<void>
  /**
   * Returns what has become of orders, those of one order as they happened, and goes on until the signal
   * aborts. If it ends or throws, the server calls it again after a while. Events may come again.
   * @param after the position of the last event that the server has recorded; undefined: all events of the
   *   orders that the server has submitted
   * @param opened is to be called when the connection stands
   */
  events (after: string | undefined, signal: AbortSignal, opened: () => void): AsyncIterable<BrokerEvent>
}
